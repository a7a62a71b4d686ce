import type { CronJobSpec } from '../../model/batch.ts'
import type { Calendar } from '../../model/calendar.ts'
import type { Millis } from '../../model/ids.ts'
import type { CronState } from '../../model/records.ts'
import { countSlots, lastSlot, nextSlot } from '../calendar/calendar.ts'

/** How late a slot may start where missed ones are skipped and nothing else is said: a change of leader takes less. */
const ON_TIME: Millis = 60_000

/** Runs that catch up at once, where runs may go on beside each other. */
const CATCH_UP_AT_ONCE = 10

export interface SlotInput {
  readonly spec: CronJobSpec
  readonly calendar: Calendar
  readonly state: CronState
  /** Slots that have their run, earliest first: a turn may be cut between a run's record and the mark. */
  readonly begun: readonly Millis[]
  /** Runs that go on. */
  readonly active: number
  /** `Wait`: what it depends on is not there. */
  readonly wish: 'Go' | 'Wait'
  readonly now: Millis
}

export interface DueSlots {
  readonly start: readonly Millis[]
  readonly state: CronState
  readonly wakeAt: Millis | null
}

/**
 * Which slots start a run now. All follows from the calendar and from one mark, so that a time of any length without a
 * control plane costs no more than a minute, and no slot comes twice however the clock jumps.
 */
export function dueSlots(given: SlotInput): DueSlots {
  const { spec, calendar, now } = given
  const input = { ...given, state: given.begun.reduce((state, slot) => startedAll(state, [slot], given), given.state) }
  const wakeAt = nextSlot(calendar, Math.max(now, input.state.through))
  if (spec.suspend) return { start: [], state: skipped(input.state, calendar, now), wakeAt }
  const state = withoutLate(input)
  const start = spec.missedRuns === 'RunAll' ? eachOf({ ...input, state }) : latestOf({ ...input, state })
  return { start, state: startedAll(state, start, input), wakeAt }
}

/** Nobody wanted them, so they are not missed. */
function skipped(state: CronState, calendar: Calendar, now: Millis): CronState {
  const last = lastSlot(calendar, { after: state.through, upTo: now })
  return last === null ? state : { ...state, through: last }
}

/** Those that could not start for longer than they may are missed; at the very end of that time one still starts. */
function withoutLate({ spec, calendar, state, now }: SlotInput): CronState {
  const deadline =
    spec.startingDeadlineSeconds === undefined ? (spec.missedRuns === 'Skip' ? ON_TIME : null) : spec.startingDeadlineSeconds * 1000
  const upTo = deadline === null ? state.through : now - deadline - 1
  return upTo > state.through ? missing(state, calendar, upTo) : state
}

/** All slots until then are missed. */
function missing(state: CronState, calendar: Calendar, upTo: Millis): CronState {
  const last = lastSlot(calendar, { after: state.through, upTo })
  if (last === null) return state
  const missed = state.missed + countSlots(calendar, { after: state.through, upTo: last })
  return { ...state, through: last, missed, lastMissed: last }
}

const mayStart = ({ spec, active, wish }: SlotInput, started: number): boolean => {
  if (wish === 'Wait') return false
  const most = spec.concurrencyPolicy === 'Forbid' ? 1 : CATCH_UP_AT_ONCE
  return (
    spec.concurrencyPolicy === 'Replace' || active + started < most || (spec.concurrencyPolicy === 'Allow' && spec.missedRuns !== 'RunAll')
  )
}

function latestOf(input: SlotInput): Millis[] {
  const last = lastSlot(input.calendar, { after: input.state.through, upTo: input.now })
  return last !== null && mayStart(input, 0) ? [last] : []
}

function eachOf(input: SlotInput): Millis[] {
  const start: Millis[] = []
  let next = nextSlot(input.calendar, input.state.through)
  while (next !== null && next <= input.now && mayStart(input, start.length)) {
    start.push(next)
    next = nextSlot(input.calendar, next)
  }
  return start
}

/** What lies between the mark and the latest that starts was missed, unless each of them starts. */
function startedAll(state: CronState, start: readonly Millis[], { spec, calendar }: SlotInput): CronState {
  const last = start.at(-1)
  if (last === undefined || last <= state.through) return state
  const before = spec.missedRuns === 'RunAll' ? state : missing(state, calendar, last - 1)
  return { ...before, through: last }
}
