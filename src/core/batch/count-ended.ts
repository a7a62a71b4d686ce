import type { RunSpec } from '../../model/batch.ts'
import type { TaskId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { hasFailed, isOver, type TaskState } from '../task-state.ts'
import { countedFailures } from './failure-policy.ts'
import { formatIndexes, hasIndex, type IndexSet, parseIndexes } from './index-set.ts'
import { withAttempts } from './run-record.ts'
import { newestEndFirst, type Tally, tallyOf } from './tally.ts'

/** Ended tasks of a run that stay for their logs, and how many more come together before they are counted and forgotten. */
const ENDED_KEPT = 100
const COUNTED_AT_ONCE = 50

/** Failed tasks of a number that is tried again which stay: after so many its delay grows no more. */
const KEPT_FOR_BACKOFF = 7

export interface Counting {
  /** With the oldest ended tasks counted in it. */
  readonly run: Run
  /** Tasks that nothing needs any more. */
  readonly forget: readonly TaskId[]
}

interface Progress {
  readonly spec: RunSpec
  readonly tasks: readonly TaskState[]
  readonly tally: Tally
}

/**
 * Lets go of the oldest ended tasks, so that a run of 100,000 tasks holds few of them. What they add is written into its
 * record first: a turn may be cut before they are gone, and whoever reads both then must not count them twice. A number
 * that is in a set there shows that by itself; only a failure that adds to a sum is remembered by its task's id.
 */
export function countEnded(run: Run, { spec, tasks, tally }: Progress): Counting {
  const isHeld = heldBy(run, spec)
  const isNeeded = neededFor(spec, tasks, tally)
  const open = tasks.filter((task) => !isHeld(task))
  const oldest = oldestEnded(open.filter((task) => !isNeeded(task)))
  const held = tasks.filter(isHeld)
  return {
    run: oldest.length === 0 ? run : counting(run, oldest, { spec, tasks, tally }),
    forget: [...held, ...oldest].map(({ task }) => task.id),
  }
}

/** Of a run that is over all count alike. */
export function oldestEnded(tasks: readonly TaskState[]): TaskState[] {
  const ended = tasks.filter(isOver)
  return ended.length < ENDED_KEPT + COUNTED_AT_ONCE ? [] : ended.sort(newestEndFirst).slice(ENDED_KEPT)
}

/** Ended tasks that the record counts already. */
function heldBy(run: Run, { mode, backoffLimitPerIndex }: RunSpec): (state: TaskState) => boolean {
  const counted = new Set(run.counted)
  const [succeeded, failed] = [parseIndexes(run.succeeded), parseIndexes(run.failedIndexes)]
  const isIn = (set: IndexSet, { task }: TaskState): boolean => mode !== 'Global' && hasIndex(set, Number(task.slot))
  return (state) => {
    if (!isOver(state)) return false
    if (counted.has(state.task.id)) return true
    if (state.observed?.phase === 'Succeeded') return isIn(succeeded, state)
    // Where each number counts by itself, one that is settled counts no more.
    return backoffLimitPerIndex !== undefined && (isIn(succeeded, state) || isIn(failed, state))
  }
}

/** Tasks whose records are asked for what the run's record does not hold. One that a rule ends the run for is among them, for its number stays open. */
function neededFor(spec: RunSpec, tasks: readonly TaskState[], tally: Tally): (state: TaskState) => boolean {
  const delaying = new Set(delays(tasks, (slot) => isOpen(slot, spec, tally)))
  return (state) => delaying.has(state) || (spec.mode === 'Global' && state.observed?.phase === 'Succeeded')
}

/** The newest failures of each number that is to be tried again. */
function delays(tasks: readonly TaskState[], isTriedAgain: (slot: string) => boolean): TaskState[] {
  const seen = new Map<string, number>()
  const failed = tasks.filter((state) => hasFailed(state) && isTriedAgain(state.task.slot)).sort(newestEndFirst)
  return failed.filter(({ task }) => {
    const newer = seen.get(task.slot) ?? 0
    seen.set(task.slot, newer + 1)
    return newer < KEPT_FOR_BACKOFF
  })
}

const isOpen = (slot: string, { mode }: RunSpec, { succeededSlots, settled }: Tally): boolean =>
  mode === 'Global' ? !succeededSlots.has(slot) : !hasIndex(settled, Number(slot))

function counting(run: Run, oldest: readonly TaskState[], { spec, tasks }: Progress): Run {
  const present = new Set(tasks.map(({ task }) => task.id))
  const counted = tallyOf(run, spec, oldest)
  const isSummed = ({ task }: TaskState): boolean => spec.backoffLimitPerIndex === undefined || isOpen(task.slot, spec, counted)
  const summed = oldest.filter((task) => countedFailures(spec, task) > 0 && isSummed(task))
  const indexFailures = [...counted.byIndex].filter(([slot, count]) => count > 0 && isOpen(slot, spec, counted))
  return {
    ...withAttempts(run, oldest),
    ...setsOf(counted),
    failures: counted.failures,
    indexFailures: Object.fromEntries(indexFailures),
    counted: [...run.counted.filter((id) => present.has(id)), ...summed.map(({ task }): TaskId => task.id)],
  }
}

/** What of a tally is written as sets. */
export const setsOf = ({ succeeded, failedIndexes }: Tally): Pick<Run, 'succeeded' | 'failedIndexes'> => ({
  succeeded: formatIndexes(succeeded),
  failedIndexes: formatIndexes(failedIndexes),
})
