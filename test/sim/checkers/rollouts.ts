import type { TaskId } from '../../../src/model/ids.ts'
import type { Rollout, RolloutPhase } from '../../../src/model/rollout.ts'
import type { CheckContext, Commit, MakeChecker } from '../checker.ts'
import { changesOf } from '../mirror.ts'
import { RETRIER } from './desired.ts'

/** Where a phase may lead in one step or several; said here a second time, so that a mistake in the table is seen. */
const FORWARD: { readonly [P in RolloutPhase]: readonly RolloutPhase[] } = {
  Waiting: ['Waiting', 'Rolling', 'Paused', 'Proving', 'Complete', 'Failed', 'RolledBack', 'Superseded'],
  Rolling: ['Rolling', 'Paused', 'Proving', 'Complete', 'Failed', 'RolledBack', 'Superseded'],
  Paused: ['Paused', 'Rolling', 'Proving', 'Complete', 'Failed', 'RolledBack', 'Superseded'],
  Proving: ['Proving', 'Rolling', 'Complete', 'Failed', 'RolledBack', 'Superseded'],
  Complete: ['Complete', 'RolledBack'],
  // Tried again, and overtaken before that was written down.
  Failed: ['Failed', 'RolledBack', 'Waiting', 'Rolling', 'Paused', 'Proving', 'Complete', 'Superseded'],
  RolledBack: ['RolledBack'],
  Superseded: ['Superseded'],
}

const UNDER_WAY: ReadonlySet<RolloutPhase> = new Set(['Waiting', 'Rolling', 'Paused', 'Proving'])

/** Rollouts move as their table says, one at a time; what failed by itself goes back once, and git does not bring it again. */
export const rolloutsChecker: MakeChecker = (context) => {
  /** By workload: the inputs that went back by themselves since git, or a person, last said something new. */
  const taken = new Map<string, Set<string>>()
  return {
    committed(commit) {
      for (const { before, after } of changesOf(commit.changes, 'rollouts')) if (after !== undefined) checkStep(context, before, after)
      checkOneAtATime(context, commit)
      checkNoFlapping(context, commit, taken)
      checkCanaryBeside(context, commit)
      checkTogether(context, commit)
    },
  }
}

function checkStep({ findings }: CheckContext, before: Rollout | undefined, after: Rollout): void {
  if (before === undefined) return
  if (!FORWARD[before.state.phase].includes(after.state.phase))
    findings.report('RolloutForward', `${after.id} went from ${before.state.phase} to ${after.state.phase}`)
  if (before.to.inputsDigest !== after.to.inputsDigest) findings.report('RolloutForward', `${after.id} leads elsewhere by now`)
}

function checkOneAtATime({ findings }: CheckContext, { changes, mirror }: Commit): void {
  const keys = new Set(changesOf(changes, 'rollouts').flatMap(({ after }) => after?.workload ?? []))
  if (keys.size === 0) return
  for (const key of keys) {
    const own = [...mirror.table('rollouts').values()].filter(({ workload }) => workload === key)
    const newest = Math.max(...own.map(({ number }) => number))
    const behind = own.find(({ number, state }) => number !== newest && UNDER_WAY.has(state.phase))
    if (behind !== undefined) findings.report('NewestRolloutWins', `${behind.id} goes on beside number ${newest}`)
  }
}

function checkNoFlapping({ findings }: CheckContext, { changes }: Commit, taken: Map<string, Set<string>>): void {
  const asked = changesOf(changes, 'revisions').some(({ before, after }) => before === undefined && after?.cause === `sync by ${RETRIER}`)
  if (asked) taken.clear()
  // Lifted: git said something else of it, or of what took it along.
  for (const { id, after } of changesOf(changes, 'quarantine')) if (after === undefined) taken.delete(id)
  for (const { id, before, after } of changesOf(changes, 'workloads')) {
    if (before === undefined || after?.cause.startsWith('automatic rollback') !== true || before.inputsDigest === after.inputsDigest)
      continue
    const known = taken.get(id) ?? new Set()
    if (known.has(before.inputsDigest)) findings.report('NoFlapping', `${id} went back from ${before.inputsDigest} a second time`)
    taken.set(id, known.add(before.inputsDigest))
  }
}

/** While canaries are tried, what serves is not touched. */
function checkCanaryBeside({ findings }: CheckContext, { changes, mirror }: Commit): void {
  for (const { id, before, after } of changesOf(changes, 'tasks')) {
    if (before?.desired !== 'run' || after?.desired === 'run') continue
    const record = mirror.table('workloads').get(before.workload)
    const rollout = [...mirror.table('rollouts').values()].find(
      ({ workload, generation }) => workload === record?.key && generation === record.generation,
    )
    const trying = rollout?.state.phase === 'Paused' || (rollout?.state.phase === 'Rolling' && rollout.state.step !== null)
    const serves = before.templateDigest === rollout?.from?.templateDigest && mirror.table('observed').get(id as TaskId)?.ready === true
    const version = record?.good == null ? null : mirror.version(record.good.inputsDigest)
    const isItsSlot = version?.kind === 'Deployment' && version.spec.mode === 'Replicated' && Number(before.slot) < version.spec.replicas
    if (trying && serves && isItsSlot)
      findings.report('CanaryBeside', `${id} serves, and was stopped while ${rollout.id} tries its canaries`)
  }
}

/** What an atomic revision brought goes back with it. */
function checkTogether({ findings }: CheckContext, { changes, mirror }: Commit): void {
  for (const { before, after } of changesOf(changes, 'revisions')) {
    if (after?.outcome !== 'RolledBack' || before?.outcome === 'RolledBack' || after.deadlineAt === null) continue
    const left = [...mirror.table('workloads').values()].filter(
      ({ wanted, intent, revision, good, inputsDigest }) =>
        wanted && intent === 'Update' && revision === after.revision && good?.inputsDigest !== inputsDigest,
    )
    if (left.length > 0)
      findings.report('AtomicTogether', `${left.map(({ key }) => key).join(', ')} stays at ${after.revision}, which went back`)
  }
}
