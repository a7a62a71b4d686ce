import type { JobSpec } from '../../../../src/model/batch.ts'
import type { Run, WorkloadRecord } from '../../../../src/model/records.ts'
import type { Op } from '../../../../src/store/store.ts'
import { GAVE_WAY, runsIn } from './run-oracle.ts'
import type { Look, Oracle } from './world.ts'

type Standing = { readonly is: 'New' } | { readonly is: 'There' | 'Blocked'; readonly id: string }

/** Which run a Job is to have, from the order in which its runs came to be. */
export class JobOracle implements Oracle {
  readonly broken: string[] = []
  begun = 0
  #order: string[] = []

  look({ state, writes, now }: Look): void {
    if (state.version.kind !== 'Job') return
    const known = new Map<string, Run>(state.runs.map((run) => [run.id, run]))
    this.#order = [...this.#order.filter((id) => known.has(id)), ...[...known.keys()].filter((id) => !this.#order.includes(id))]
    const told = runsIn(writes)
    const begun = told.filter(({ id }) => !known.has(id))
    const at = new Date(now).toISOString()
    const after = new Map([...known, ...told.map((run) => [run.id as string, run] as const)])
    if (!state.record.wanted) {
      const left = [...after.values()].filter(({ finishedAt }) => finishedAt === null)
      if (begun.length > 0 || left.length > 0) this.broken.push(`${at} is removed, and ${begun.length} runs begin, ${left.length} go on`)
      return
    }
    const inOrder = this.#order.flatMap((id) => known.get(id) ?? [])
    const standing = standingOf(inOrder, state.record, state.version.spec)
    if (begun.length !== (standing.is === 'New' ? 1 : 0))
      this.broken.push(`${at} begins ${begun.length} runs where ${JSON.stringify(standing)} was due`)
    const present = standing.is === 'New' ? begun[0]?.id : standing.id
    for (const run of known.values())
      if (run.id !== present && run.finishedAt === null && after.get(run.id)?.reason !== 'Superseded')
        this.broken.push(`${at} ${run.id} does not give way to ${present}`)
    for (const id of begun) this.#checkBegun(id, inOrder)
    this.begun += begun.length
  }

  #checkBegun({ id, number }: Run, inOrder: readonly Run[]): void {
    if (inOrder.some((run) => run.number >= number)) this.broken.push(`${id} has number ${number}, which is not the highest`)
  }

  commit(ops: readonly Op[]): void {
    for (const { op, key } of ops) if (op === 'delete' && key.startsWith('runs/')) this.broken.push(`${key} is forgotten`)
  }
}

function standingOf(inOrder: readonly Run[], { templateDigest, revision }: WorkloadRecord, { runPolicy, onRevert }: JobSpec): Standing {
  const same = (run: Run): boolean => run.templateDigest === templateDigest && (runPolicy !== 'EveryRevision' || run.revision === revision)
  const last = inOrder.findLast((run) => same(run) && !GAVE_WAY.has(run.reason ?? ''))
  if (last === undefined) return { is: 'New' }
  const cameSince = inOrder.length > inOrder.indexOf(last) + 1
  if (!cameSince || onRevert === 'Skip') return { is: 'There', id: last.id }
  return onRevert === 'Run' ? { is: 'New' } : { is: 'Blocked', id: last.id }
}
