import type { CronJobSpec } from '../../model/batch.ts'
import type { Calendar } from '../../model/calendar.ts'
import type { Millis, RunId } from '../../model/ids.ts'
import type { CronState, Run } from '../../model/records.ts'
import type { WorkloadState } from '../workload.ts'
import type { CronOccasions } from './context.ts'
import { type DueGraph, dueGraphs, nodeRunId, ofKnownGraphs } from './cron-graph.ts'
import { dueSlots } from './cron-slots.ts'
import { runBase } from './run-record.ts'
import { stampOf } from './stamp.ts'

/** What a run begins for. */
type Occasion = Pick<Run, 'id' | 'trigger' | 'slot' | 'graph' | 'parents'>

export interface Due {
  readonly start: readonly Occasion[]
  readonly state: CronState
  readonly wakeAt: Millis | null
}

interface Look {
  readonly occasions: CronOccasions
  /** Runs that go on. */
  readonly active: number
  readonly now: Millis
}

/** Which runs of a CronJob are due, and how far that decides its schedule or its graph. */
export function dueRuns(state: WorkloadState, spec: CronJobSpec, look: Look): Due {
  const { calendar } = look.occasions
  if (spec.after !== undefined) return afterParents(state, spec, look)
  if (calendar === null) return { start: [], state: markOf(state, spec, look), wakeAt: null }
  return onSchedule(state, spec, { ...look, calendar })
}

function onSchedule(state: WorkloadState, spec: CronJobSpec, look: Look & { calendar: Calendar }): Due {
  const { active, now, calendar } = look
  const mark = markOf(state, spec, look)
  const wish = state.unmet.length > 0 ? 'Wait' : 'Go'
  const due = dueSlots({ spec, calendar, state: mark, begun: slotsOf(state.runs), active, wish, now })
  const start = due.start.map((slot): Occasion => {
    const id = runBase(state.record, stampOf(slot)) as RunId
    return { id, trigger: 'Schedule', slot, graph: id, parents: [] }
  })
  return { ...due, start }
}

/** Slots that have their run, earliest first. */
const slotsOf = (runs: readonly Run[]): Millis[] =>
  runs.flatMap(({ trigger, slot }) => (trigger === 'Schedule' && slot !== null ? [slot] : [])).sort((a, b) => a - b)

/** What starts it, as its mark remembers it. */
const startOf = ({ schedule, timeZone, after }: CronJobSpec): string =>
  schedule === undefined ? `after ${[...(after ?? [])].sort().join(' ')}` : `${schedule} ${timeZone}`

/** The mark as it is when this look begins: what is new says nothing about the time before it was there. */
function markOf({ record, runs }: WorkloadState, spec: CronJobSpec, { occasions, now }: Look): CronState {
  const { state: before, parents } = occasions
  const schedule = startOf(spec)
  if (before?.schedule === schedule) return before
  const since = before === null ? record.createdAt : record.updatedAt
  const through = Math.max(since, before?.through ?? 0, ...slotsOf(runs))
  // In the turn that brings it all of them ended before, whatever a clock that was set back since says of when.
  const told = dueGraphs({ parents, own: runs, passed: {} }).filter(({ readyAt }) => now === since || readyAt <= since)
  return {
    workload: record.key,
    through,
    schedule,
    passed: passing(told),
    missed: before?.missed ?? 0,
    lastMissed: before?.lastMissed ?? null,
  }
}

function afterParents(state: WorkloadState, spec: CronJobSpec, look: Look): Due {
  const { active, occasions } = look
  const { parents } = occasions
  const mark = markOf(state, spec, look)
  const due = dueGraphs({ parents, own: state.runs, passed: mark.passed })
  const { start, pass } = starting(due, spec, { active, wish: state.unmet.length > 0 ? 'Wait' : 'Go' })
  const passed = ofKnownGraphs({ ...mark.passed, ...passing(pass) }, parents)
  return { start: occasionsOf(start, state), state: { ...mark, passed }, wakeAt: null }
}

/** Which of the runs that are due start, and which never will: of several that would end each other only the last does. */
function starting(
  due: readonly DueGraph[],
  { suspend, concurrencyPolicy }: CronJobSpec,
  { active, wish }: { active: number; wish: 'Go' | 'Wait' },
): { start: readonly DueGraph[]; pass: readonly DueGraph[] } {
  if (suspend) return { start: [], pass: due }
  if (wish === 'Wait') return { start: [], pass: [] }
  switch (concurrencyPolicy) {
    case 'Allow':
      return { start: due, pass: [] }
    case 'Forbid':
      return { start: due.slice(0, active === 0 ? 1 : 0), pass: [] }
    case 'Replace':
      return { start: due.slice(-1), pass: due.slice(0, -1) }
  }
}

const passing = (graphs: readonly DueGraph[]): CronState['passed'] =>
  Object.fromEntries(graphs.map(({ graph, numbers }) => [graph, numbers]))

function occasionsOf(due: readonly DueGraph[], { record, runs }: WorkloadState): Occasion[] {
  const named: Pick<Run, 'id'>[] = [...runs]
  return due.map(({ graph, parents, slot }) => {
    const id = nodeRunId({ record, runs: named }, { graph, slot })
    named.push({ id })
    return { id, trigger: 'After', slot, graph, parents: [...parents] }
  })
}
