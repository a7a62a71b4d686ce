import { must } from '../../../src/lib/must.ts'
import type { Digest, Oid, WorkloadKey } from '../../../src/model/ids.ts'
import { deletionBudget } from '../budget.ts'
import type { CheckContext, Commit, MakeChecker } from '../checker.ts'
import { type RepoModel, templateText } from '../manifests.ts'
import { changesOf } from '../mirror.ts'

/** What a workload should run changes only as its author, or a person who rolls back or allows deletion, said. */
export const desiredChecker: MakeChecker = (context) => {
  const digests = new Map<string, Digest>()
  return {
    committed(commit) {
      const changes = changesOf(commit.changes, 'workloads')
      if (changes.length === 0) return
      const causes = changesOf(commit.changes, 'revisions').flatMap(({ before, after }) =>
        before === undefined ? (after?.cause ?? []) : [],
      )
      if (causes.some((cause) => cause.startsWith('rollback') || cause.startsWith('automatic rollback'))) return
      const removed = changes
        .filter(({ before, after }) => before?.wanted === true && after?.wanted === false)
        .map(({ id }) => id as WorkloadKey)
      const model = modelOf(context, commit)
      if (removed.length > 0) checkRemoval(context, commit, { removed, model, allowed: causes.includes(`sync by ${DELETER}`) })
      for (const { id, before, after } of changes) {
        if (after?.wanted !== true || before?.inputsDigest === after.inputsDigest) continue
        const key = id as WorkloadKey
        const wanted = model.workloads.get(key)
        if (wanted === undefined || model.broken.has(key) || model.folder !== 'Present') {
          context.findings.report('AppliedIsCommitted', `${key} got new inputs from ${after.revision}, which does not define it`)
          continue
        }
        const text = textOf(key, model) ?? ''
        const known = digests.get(text)
        if (known !== undefined && known !== after.templateDigest)
          context.findings.report('TemplateIsStable', `${key} has the same template as before, and would restart`)
        const other = context.templates.get(after.templateDigest)
        if (other !== undefined && other !== text)
          context.findings.report('TemplateIsStable', `${key} got the template of another commit than ${after.revision}`)
        digests.set(text, after.templateDigest)
        context.templates.set(after.templateDigest, text)
      }
    },
  }
}

/** What a commit says of a template, whole; null: it does not define it. */
export function textOf(key: WorkloadKey, model: RepoModel): string | null {
  const wanted = model.workloads.get(key)
  return wanted === undefined ? null : `${key} ${templateText(wanted, model.code)}`
}

/** Who asks for a sync that may remove anything. */
export const DELETER = 'deleter'
/** Who asks for what failed to be tried again. */
export const RETRIER = 'retrier'

function modelOf({ git, mirror }: CheckContext, { changes }: Commit): RepoModel {
  const app = changesOf(changes, 'apps').at(-1)?.after ?? [...mirror.table('apps').values()][0]
  const oid = must(app?.lastAttemptedRevision, 'workloads change with a revision').split('@sha1:')[1] as Oid
  return must(git.commits.get(oid), `commit ${oid}`).model
}

interface Removal {
  readonly removed: readonly WorkloadKey[]
  readonly model: RepoModel
  readonly allowed: boolean
}

function checkRemoval({ findings, mirror }: CheckContext, { changes }: Commit, { removed, model, allowed }: Removal): void {
  const kept = removed.filter((key) => model.workloads.has(key))
  if (kept.length > 0 && model.folder === 'Present')
    findings.report('RemovalIsMeant', `${kept.join(', ')} removed, though the revision names it`)
  if (model.folder === 'Missing') findings.report('RemovalIsMeant', `${removed.join(', ')} removed by a revision without the folder`)
  if (model.broken.size > 0 && model.folder === 'Present')
    findings.report('RemovalIsMeant', `${removed.join(', ')} removed by a revision with mistakes`)
  if (allowed) return
  if (model.folder === 'Empty' || model.workloads.size === 0)
    findings.report('RemovalIsMeant', `${removed.join(', ')} removed by an empty revision`)
  const added = changesOf(changes, 'workloads').filter(({ before, after }) => before?.wanted !== true && after?.wanted === true).length
  const owned = [...mirror.table('workloads').values()].filter((record) => record.wanted).length + removed.length - added
  const budget = deletionBudget(model, owned)
  if (removed.length > budget) findings.report('RemovalIsMeant', `${removed.length} of ${owned} workloads removed, the budget is ${budget}`)
}
