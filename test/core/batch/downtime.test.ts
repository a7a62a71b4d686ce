import { describe, expect, it } from 'vitest'
import type { CronJobSpec } from '../../../src/model/batch.ts'
import { CronState, Run } from '../../../src/model/records.ts'
import { NOW } from '../../support/make.ts'
import { CronDecider } from './cron-world.ts'
import { DAY, HOUR, MINUTE, SECOND } from './make.ts'

/** A CronJob at 2026-11-20T00:00:00Z, in the first look of its first leader. */
const cron = (spec: Partial<CronJobSpec>) => new CronDecider(spec).decide()

/** The control plane is away for so long; a new leader has nothing but what is in the store. */
function down(decider: CronDecider, ms: number): CronDecider {
  const { cron: before, runs } = decider.state
  const state = CronState.parse(JSON.parse(JSON.stringify(before?.state)))
  decider.state = {
    ...decider.state,
    runs: runs.map((run) => Run.parse(JSON.parse(JSON.stringify(run)))),
    cron: before === null ? null : { ...before, state },
  }
  decider.now += ms
  return decider.decide()
}

/** Lets each run succeed at once until nothing starts any more: every slot that ran, in order. */
function runs(decider: CronDecider): number[] {
  const slots: number[] = []
  while (decider.ids.length > 0) {
    const open = decider.state.runs.filter(({ finishedAt }) => finishedAt === null).sort((a, b) => a.number - b.number)
    slots.push(...open.map(({ slot }) => slot ?? Number.NaN))
    decider.end()
  }
  return slots
}

const at = (text: string) => Date.parse(text)

/** Schedules, with how many slots they have in 10 h and in 400 days from then on, and the last of each. */
const SCHEDULES: [string, Partial<CronJobSpec>, { count: number; last: number | null }, { count: number; last: number }][] = [
  ['each minute', { schedule: '* * * * *' }, { count: 600, last: NOW + 10 * HOUR }, { count: 576_000, last: NOW + 400 * DAY }],
  ['each second', { schedule: '* * * * * *' }, { count: 36_000, last: NOW + 10 * HOUR }, { count: 34_560_000, last: NOW + 400 * DAY }],
  ['each hour', { schedule: '@hourly' }, { count: 10, last: NOW + 10 * HOUR }, { count: 9600, last: NOW + 400 * DAY }],
  [
    'half past two in Berlin, through two shifts of its clocks',
    { schedule: '30 2 * * *', timeZone: 'Europe/Berlin' },
    { count: 1, last: at('2026-11-20T01:30:00Z') },
    { count: 400, last: at('2027-12-24T01:30:00Z') },
  ],
  [
    'each half hour in New York, which follows real time',
    { schedule: '*/30 * * * *', timeZone: 'America/New_York' },
    { count: 20, last: NOW + 10 * HOUR },
    { count: 19_200, last: NOW + 400 * DAY },
  ],
  ['the last of each month', { schedule: '0 12 L * *' }, { count: 0, last: null }, { count: 13, last: at('2027-11-30T12:00:00Z') }],
]

describe.each(SCHEDULES)('a control plane that was away, where a CronJob runs %s', (_, when, short, long) => {
  const lengths: [string, number, { count: number; last: number | null }][] = [
    ['10 h', 10 * HOUR, short],
    ['400 days', 400 * DAY, long],
  ]

  it.each(lengths)('for %s: RunLatest starts the latest, and counts all others as missed', (_length, ms, { count, last }) => {
    const decider = down(cron({ ...when, missedRuns: 'RunLatest' }), ms)
    expect(runs(decider)).toEqual(last === null ? [] : [last])
    expect(decider.mark).toMatchObject({ missed: Math.max(0, count - 1) })
  })

  it.each(lengths)('for %s: Skip starts none that is more than a minute late', (_length, ms, { count, last }) => {
    const decider = down(cron({ ...when, missedRuns: 'Skip' }), ms + 61 * SECOND - ((NOW + ms) % MINUTE))
    const later = count + slotsIn(when, NOW + ms, decider.now)
    const started = runs(decider)
    expect(started.every((slot) => decider.now - slot <= MINUTE)).toBe(true)
    expect(decider.mark).toMatchObject({ missed: later - started.length })
    if (when.schedule === '0 12 L * *') expect(started).toEqual([])
    else expect(last).not.toBeNull()
  })

  it.each(lengths)('for %s: RunAll starts each in order, and none is missed', (_length, ms, { count }) => {
    const decider = down(cron({ ...when, missedRuns: 'RunAll', concurrencyPolicy: count > 1000 ? 'Allow' : 'Forbid' }), ms)
    const most = Math.min(count, 600)
    const started: number[] = []
    while (started.length < most && decider.ids.length > 0) {
      started.push(...openSlots(decider))
      decider.end()
    }
    expect(started.length).toBeGreaterThanOrEqual(most)
    expect(started.every((slot, index) => slot > (started[index - 1] ?? NOW))).toBe(true)
    expect(decider.mark).toMatchObject({ missed: 0, lastMissed: null })
  })

  it.each(lengths)('for %s while it was suspended: nothing starts, and nothing is missed', (_length, ms) => {
    const decider = down(cron({ ...when, suspend: true, missedRuns: 'RunAll' }), ms)
    expect(decider.commit({ ...when, missedRuns: 'RunAll' }).decide().told).toEqual([])
    expect(decider.mark).toMatchObject({ missed: 0 })
  })
})

const openSlots = ({ state }: CronDecider): number[] =>
  state.runs.flatMap(({ finishedAt, slot }) => (finishedAt === null && slot !== null ? [slot] : [])).sort((a, b) => a - b)

/** Slots of schedules that follow real time, by their length alone. */
function slotsIn({ schedule }: Partial<CronJobSpec>, after: number, upTo: number): number {
  const period = { '* * * * *': MINUTE, '* * * * * *': SECOND, '@hourly': HOUR, '*/30 * * * *': HOUR / 2 }[schedule ?? '']
  return period === undefined ? 0 : Math.floor(upTo / period) - Math.floor(after / period)
}

describe('startingDeadlineSeconds over a time without a control plane', () => {
  it.each([
    ['RunLatest', 3600, 1, 599],
    ['RunAll', 3600, 61, 539],
    ['RunAll', 60, 2, 598],
    ['Skip', 600, 1, 599],
  ] as const)('%s, %i s: %i of 600 run, and %i are missed', (missedRuns, startingDeadlineSeconds, ran, missed) => {
    const spec = { schedule: '* * * * *', missedRuns, startingDeadlineSeconds, concurrencyPolicy: 'Forbid' as const }
    const decider = down(cron(spec), 10 * HOUR)
    expect([runs(decider).length, decider.mark?.missed]).toEqual([ran, missed])
  })
})

describe('a leap day', () => {
  const leap = { schedule: '0 0 29 2 *' }

  it('comes once in four years, however long nobody looked', () => {
    const before = at('2028-02-28T23:00:00Z')
    const decider = down(cron(leap), before - NOW)
    expect(runs(decider)).toEqual([])
    expect(decider.last.wakeAt).toBe(at('2028-02-29T00:00:00Z'))
    expect(runs(decider.after(HOUR))).toEqual([at('2028-02-29T00:00:00Z')])
    expect(runs(down(decider, 400 * DAY))).toEqual([])
    expect(runs(down(decider, 3 * 366 * DAY))).toEqual([at('2032-02-29T00:00:00Z')])
    expect(decider.mark).toMatchObject({ missed: 0 })
  })

  it('is the last of its month, and a day like any other', () => {
    const decider = down(cron({ schedule: '0 0 L 2 *', missedRuns: 'RunAll' }), at('2029-03-01T00:00:00Z') - NOW)
    expect(runs(decider)).toEqual(['2027-02-28', '2028-02-29', '2029-02-28'].map((day) => at(`${day}T00:00:00Z`)))
  })
})

describe('a clock that jumps an hour back and forth', () => {
  const JUMPS = [HOUR, -HOUR, -HOUR, HOUR, HOUR, -HOUR, HOUR, HOUR, -HOUR, -HOUR]

  it.each(['Skip', 'RunLatest', 'RunAll'] as const)('P11: runs no slot twice under %s, and accounts for each', (missedRuns) => {
    const decider = cron({ schedule: '*/5 * * * *', missedRuns, concurrencyPolicy: 'Allow' })
    const ran: number[] = []
    for (let step = 0; step < 300; step += 1) {
      decider.now += 7 * MINUTE + (step % 3 === 0 ? (JUMPS[(step / 3) % JUMPS.length] ?? 0) : 0)
      if (step % 7 === 0) down(decider, 0)
      ran.push(...runs(decider.decide()))
    }
    expect(new Set(ran).size).toBe(ran.length)
    const decided = Math.floor(((decider.mark?.through ?? 0) - NOW) / (5 * MINUTE))
    expect(ran.length + (decider.mark?.missed ?? 0)).toBe(decided)
    if (missedRuns === 'RunAll') expect(ran).toHaveLength(decided)
  })
})
