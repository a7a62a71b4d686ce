import { describe, expect, it } from 'vitest'
import { type DueSlots, dueSlots, type SlotInput } from '../../../src/core/batch/cron-slots.ts'
import { parseSchedule } from '../../../src/manifest/cron.ts'
import type { CronJobSpec } from '../../../src/model/batch.ts'
import type { Calendar } from '../../../src/model/calendar.ts'
import type { CronState } from '../../../src/model/records.ts'
import { CRON_KEY, cronJobState, NOW } from '../../support/make.ts'
import { HOUR, MINUTE, SECOND } from './make.ts'

function calendarOf(schedule: string): Calendar {
  const parsed = parseSchedule(schedule, 'UTC')
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.calendar
}

const everyMinute = calendarOf('* * * * *')
const mark: CronState = { workload: CRON_KEY, through: NOW, schedule: '* * * * * UTC', passed: {}, missed: 0, lastMissed: null }

/** Slots are the full minutes after `NOW`, and nothing ran yet. */
function due(policies: Partial<CronJobSpec>, over: Partial<SlotInput> = {}): DueSlots {
  const { version } = cronJobState(policies)
  const input = {
    spec: version.spec as CronJobSpec,
    calendar: everyMinute,
    state: mark,
    begun: [],
    active: 0,
    wish: 'Go' as const,
    now: NOW,
  }
  return dueSlots({ ...input, ...over })
}

const inMinutes = (slots: readonly number[]): number[] => slots.map((slot) => (slot - NOW) / MINUTE)
const told = ({ start, state }: DueSlots): [number[], number, number] => [inMinutes(start), state.missed, (state.through - NOW) / MINUTE]

const [Allow, Forbid, Replace] = ['Allow', 'Forbid', 'Replace'] as const
const [Skip, RunLatest, RunAll] = ['Skip', 'RunLatest', 'RunAll'] as const

describe('slots that passed', () => {
  /** Policies, runs that go on, minutes since the mark: which slots start, how many are missed, and up to which they are decided. */
  const table: [CronJobSpec['concurrencyPolicy'], CronJobSpec['missedRuns'], number, number, [number[], number, number]][] = [
    [Allow, Skip, 0, 0.5, [[], 0, 0]],
    [Allow, Skip, 0, 1, [[1], 0, 1]],
    [Allow, Skip, 3, 1.9, [[1], 0, 1]],
    [Allow, Skip, 0, 2, [[2], 1, 2]],
    [Allow, Skip, 0, 5.5, [[5], 4, 5]],
    [Forbid, Skip, 0, 5.5, [[5], 4, 5]],
    [Forbid, Skip, 1, 1.5, [[], 0, 0]],
    [Forbid, Skip, 1, 5.5, [[], 4, 4]],
    [Replace, Skip, 1, 5.5, [[5], 4, 5]],
    [Allow, RunLatest, 9, 5.5, [[5], 4, 5]],
    [Allow, RunLatest, 99, 1, [[1], 0, 1]],
    [Forbid, RunLatest, 0, 5.5, [[5], 4, 5]],
    [Forbid, RunLatest, 1, 5.5, [[], 0, 0]],
    [Replace, RunLatest, 1, 5.5, [[5], 4, 5]],
    [Allow, RunAll, 0, 5.5, [[1, 2, 3, 4, 5], 0, 5]],
    [Allow, RunAll, 0, 99, [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0, 10]],
    [Allow, RunAll, 8, 99, [[1, 2], 0, 2]],
    [Allow, RunAll, 10, 99, [[], 0, 0]],
    [Forbid, RunAll, 0, 5.5, [[1], 0, 1]],
    [Forbid, RunAll, 1, 5.5, [[], 0, 0]],
  ]
  it.each(table)('%s, %s, %i going on, after %d min', (concurrencyPolicy, missedRuns, active, minutes, expected) => {
    expect(told(due({ concurrencyPolicy, missedRuns }, { active, now: NOW + minutes * MINUTE }))).toEqual(expected)
  })
})

describe('startingDeadlineSeconds', () => {
  const late = (missedRuns: CronJobSpec['missedRuns'], seconds: number, minutes: number) =>
    told(due({ concurrencyPolicy: Allow, missedRuns, startingDeadlineSeconds: seconds }, { now: NOW + minutes * MINUTE }))

  it('lets nothing start that is later, and everything that is not', () => {
    expect(late(RunAll, 120, 5)).toEqual([[3, 4, 5], 2, 5])
    expect(late(RunAll, 119, 5)).toEqual([[4, 5], 3, 5])
    expect(late(RunLatest, 30, 5.5)).toEqual([[5], 4, 5])
    expect(late(RunLatest, 29, 5.5)).toEqual([[], 5, 5])
  })

  it('takes the place of the minute that Skip waits for', () => {
    expect(late(Skip, 5, 5.5)).toEqual([[], 5, 5])
    expect(late(Skip, 600, 5.5)).toEqual([[5], 4, 5])
  })

  it('counts what waited too long although nothing starts', () => {
    const waited = due({ missedRuns: RunLatest, startingDeadlineSeconds: 90 }, { active: 1, now: NOW + 5 * MINUTE })
    expect(told(waited)).toEqual([[], 3, 3])
    expect(waited.state.lastMissed).toBe(NOW + 3 * MINUTE)
  })
})

describe('Skip', () => {
  it('starts a slot that is a minute late, and none that is later', () => {
    const daily = (seconds: number) =>
      due({ missedRuns: Skip }, { calendar: calendarOf('1 0 * * *'), now: NOW + MINUTE + seconds * SECOND })
    expect(told(daily(60))).toEqual([[1], 0, 1])
    expect(told(daily(60.001))).toEqual([[], 1, 1])
  })
})

describe('a dependency that is missing', () => {
  it('keeps every slot waiting, and what then starts is as after any other wait', () => {
    expect(told(due({ missedRuns: RunLatest }, { wish: 'Wait', now: NOW + 5 * MINUTE }))).toEqual([[], 0, 0])
    expect(told(due({ concurrencyPolicy: Replace }, { wish: 'Wait', now: NOW + 5 * MINUTE }))).toEqual([[], 0, 0])
    expect(told(due({ missedRuns: RunLatest }, { now: NOW + 5 * MINUTE }))).toEqual([[5], 4, 5])
  })
})

describe('suspend', () => {
  it('lets slots pass that are neither run nor missed, those too that waited', () => {
    const suspended = due({ suspend: true, missedRuns: RunAll }, { now: NOW + 5.5 * MINUTE })
    expect(told(suspended)).toEqual([[], 0, 5])
    expect(told(due({ missedRuns: RunAll }, { state: suspended.state, now: NOW + 6 * MINUTE }))).toEqual([[6], 0, 6])
  })
})

describe('a clock that jumps', () => {
  const ran = due({ missedRuns: RunLatest }, { now: NOW + 10 * MINUTE }).state

  it('back: nothing runs again, and the next slot is the one after the last', () => {
    const back = due({ missedRuns: RunAll }, { state: ran, now: NOW - HOUR })
    expect(told(back)).toEqual([[], ran.missed, 10])
    expect(back.wakeAt).toBe(NOW + 11 * MINUTE)
  })

  it('ahead: what lies between is missed or runs, as after a wait', () => {
    expect(told(due({ missedRuns: RunLatest }, { state: ran, now: NOW + 70 * MINUTE }))).toEqual([[70], ran.missed + 59, 70])
  })
})

describe('a run whose mark was lost', () => {
  const begun = [NOW + 3 * MINUTE]

  it('is not run again, nor counted as missed; what lay before it is', () => {
    expect(told(due({ missedRuns: RunLatest }, { begun, now: NOW + 3.5 * MINUTE }))).toEqual([[], 2, 3])
    expect(told(due({ missedRuns: RunLatest }, { begun, now: NOW + 5 * MINUTE }))).toEqual([[5], 3, 5])
    expect(told(due({ missedRuns: RunAll }, { begun: [NOW + MINUTE, NOW + 2 * MINUTE], now: NOW + 3 * MINUTE }))).toEqual([[3], 0, 3])
  })

  it('does not matter once the mark is there', () => {
    const state = { ...mark, through: NOW + 3 * MINUTE, missed: 2 }
    expect(told(due({ missedRuns: RunLatest }, { begun, state, now: NOW + 4 * MINUTE }))).toEqual([[4], 2, 4])
  })
})

describe('the next look', () => {
  it('is at the next slot', () => {
    expect(due({}, { now: NOW + 90 * SECOND }).wakeAt).toBe(NOW + 2 * MINUTE)
    expect(due({}, { now: NOW + 2 * MINUTE }).wakeAt).toBe(NOW + 3 * MINUTE)
  })
})
