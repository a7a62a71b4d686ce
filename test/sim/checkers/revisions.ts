import type { Oid } from '../../../src/model/ids.ts'
import type { MakeChecker } from '../checker.ts'
import type { Incarnation } from '../incarnation.ts'
import { changesOf } from '../mirror.ts'

/** INV-15: what a control plane applies is what git resolved to when this very process asked last; a rollback asks nobody. */
export const revisionsChecker: MakeChecker = ({ findings }) => {
  const resolved = new Map<Incarnation, Oid>()
  return {
    resolved: (by, oid) => void resolved.set(by, oid),
    committed({ by, changes }) {
      const isReturn = changesOf(changes, 'revisions').some(({ before, after }) => before === undefined && isRollback(after?.cause ?? ''))
      if (isReturn) return
      for (const { before, after } of changesOf(changes, 'apps')) {
        const said = after?.lastAttemptedRevision
        if (said == null || said === before?.lastAttemptedRevision || said.endsWith(`:${resolved.get(by)}`)) continue
        findings.report('AppliedIsResolved', `${by.name} applied ${said}, git had said ${resolved.get(by) ?? 'nothing'}`)
      }
    },
  }
}

const isRollback = (cause: string): boolean => cause.startsWith('rollback') || cause.startsWith('automatic rollback')
