import type { JobSpec } from '../../model/batch.ts'
import type { Millis, RunId } from '../../model/ids.ts'
import type { Run, WorkloadRecord } from '../../model/records.ts'
import type { WorkloadState } from '../workload.ts'
import { byNumber, freeRunId, gaveWay, newRun, nextNumber, runBase } from './run-record.ts'

/** Which run a Job should have now. */
type JobStanding =
  /** This one, which may have ended. */
  | { readonly is: 'Run'; readonly run: Run }
  /** One that is not there yet. */
  | { readonly is: 'Due' }
  /** Git came back to what ran before, and a person is to say what that means. */
  | { readonly is: 'Blocked'; readonly run: Run }

/** Of a Job's runs, oldest first, the one that carries out what git says now; none is ever run again because its record went. */
function standingOf(record: WorkloadRecord, spec: JobSpec, runs: readonly Run[]): JobStanding {
  const inOrder = [...runs].sort(byNumber)
  const own = inOrder.filter((run) => isOf(run, record, spec) && !gaveWay(run))
  const [newest, last] = [inOrder.at(-1), own.at(-1)]
  if (last === undefined) return { is: 'Due' }
  if (last === newest) return { is: 'Run', run: last }
  // Between that run and now another ran.
  switch (spec.onRevert) {
    case 'Run':
      return { is: 'Due' }
    case 'Block':
      return { is: 'Blocked', run: last }
    default:
      return { is: 'Run', run: last }
  }
}

function isOf(run: Run, { templateDigest, revision }: WorkloadRecord, { runPolicy }: JobSpec): boolean {
  return run.templateDigest === templateDigest && (runPolicy !== 'EveryRevision' || run.revision === revision)
}

/** Named after what it runs, so that the same is never recorded twice, whoever leads. */
export function nextRunId(record: WorkloadRecord, spec: JobSpec, runs: readonly Run[]): RunId {
  const digest = record.templateDigest.slice(0, 10)
  return freeRunId(runBase(record, spec.runPolicy === 'EveryRevision' ? `${digest}-${record.revision.slice(-40, -32)}` : digest), runs)
}

/** The Job's runs sorted into the state: the present one, and others that are not done with. */
export function withRuns(state: WorkloadState, spec: JobSpec): WorkloadState {
  const standing = standingOf(state.record, spec, state.runs)
  const run = standing.is === 'Due' ? null : standing.run
  const present = new Set(state.tasks.map(({ task }) => task.run))
  const staleRuns = state.runs.filter((one) => one.id !== run?.id && (one.finishedAt === null || present.has(one.id)))
  return { ...state, run, staleRuns, blocked: standing.is === 'Blocked' ? 'Yes' : 'No' }
}

/** The present run, made if it is due. */
export function presentRun(state: WorkloadState, spec: JobSpec, now: Millis): Run {
  const { record, run, runs } = state
  return run ?? newRun(record, { id: nextRunId(record, spec, runs), trigger: 'Sync' }, { number: nextNumber(state), now })
}
