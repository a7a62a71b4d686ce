import { describe, expect, it } from 'vitest'
import { buryOld, expired, keptOfCron, keptOfJob } from '../../../src/core/batch/history.ts'
import type { CronJobSpec } from '../../../src/model/batch.ts'
import type { RunId, TaskId } from '../../../src/model/ids.ts'
import type { Run } from '../../../src/model/records.ts'
import { attempt, cronJobState, jobState, NOW, run } from '../../support/make.ts'
import { Decider } from '../decide.ts'
import { DAY, HOUR, SECOND, times } from './make.ts'

const numbered = (number: number, over: Partial<Run> = {}): Run =>
  run({ id: `r${number}` as RunId, number, phase: 'Succeeded', reason: 'Completed', exitCode: 0, finishedAt: NOW + number, ...over })
const open = (number: number): Run => numbered(number, { phase: 'Running', reason: null, exitCode: null, finishedAt: null })
const runs = (count: number): Run[] => times(count, (index) => numbered(index + 1))
const numbers = (kept: readonly Run[]): number[] => kept.map(({ number }) => number)
const told = (kept: readonly Run[]): number[] => numbers(kept.filter(({ buriedAt }) => buriedAt === null))

describe('runs of a Job', () => {
  const bury = (given: readonly Run[], ttl: number | undefined, now = NOW) => buryOld(given, { ttl, now })

  it('are told up to the newest 20 that ended, and none is ever forgotten', () => {
    const { runs: left, drop, wakeAt } = bury([...runs(25), open(26)], undefined)
    expect(told(left)).toEqual([...times(20, (index) => 6 + index), 26])
    expect([numbers(left).length, drop, wakeAt]).toEqual([26, [], null])
  })

  it('are told for as long as ttlSecondsAfterFinished says, to the millisecond', () => {
    const given = [numbered(1, { finishedAt: NOW }), numbered(2, { finishedAt: NOW + HOUR }), open(3)]
    expect(bury(given, 60, NOW + 60 * SECOND - 1)).toMatchObject({ runs: given, wakeAt: NOW + 60 * SECOND })
    const after = bury(given, 60, NOW + 60 * SECOND)
    expect([told(after.runs), after.wakeAt]).toEqual([[2, 3], NOW + HOUR + 60 * SECOND])
    expect(told(bury(given, 0, NOW + HOUR).runs)).toEqual([3])
  })

  it('are buried once, and then say no more than that they ran and how', () => {
    const full = numbered(1, {
      attempts: [{ ...attempt(1, 0), task: 't' as TaskId, index: 0 }],
      lastLines: ['bye'],
      images: { a: { agents: {} } } as never,
    })
    const [buried] = bury([full], 0, NOW + DAY).runs
    expect(buried).toEqual({ ...full, attempts: [], lastLines: [], images: {}, buriedAt: NOW + DAY })
    expect(bury([buried as Run], 0, NOW + 2 * DAY).runs).toEqual([buried])
  })

  it('keep their tasks: those of the present run, of the one before it, and of any that goes on', () => {
    const given = [open(1), ...times(4, (index) => numbered(index + 2))]
    expect([...keptOfJob(given, given[4] as Run)].sort()).toEqual(['r1', 'r4', 'r5'])
    const old = numbered(2)
    expect([...keptOfJob(given, old)].sort()).toEqual(['r1', 'r2', 'r5'])
    expect([...keptOfJob([numbered(1, { buriedAt: NOW })], numbered(1, { buriedAt: NOW }))]).toEqual([])
  })
})

describe('runs of a CronJob', () => {
  const age = { parents: [], ttl: undefined, now: NOW }

  it('are kept up to the newest 100 that ended, and those that go on', () => {
    const { runs: left, drop } = expired([open(1), ...times(105, (index) => numbered(index + 2))], age)
    expect(numbers(left)).toEqual([1, ...times(100, (index) => 7 + index)])
    expect(drop.toSorted()).toEqual(['r2', 'r3', 'r4', 'r5', 'r6'])
  })

  it('are only buried when their time is over, for others may start after them', () => {
    const { runs: left, drop } = expired(runs(3), { ...age, ttl: 0, now: NOW + DAY })
    expect([numbers(left), told(left), drop]).toEqual([[1, 2, 3], [], []])
  })

  it('keep their tasks and logs by the history limits of each outcome', () => {
    const { version } = cronJobState({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 1 })
    const failed = (number: number) => numbered(number, { phase: 'Failed', reason: 'BackoffLimitExceeded' })
    const given = [open(1), numbered(2), failed(3), numbered(4), failed(5), numbered(6), numbered(7, { buriedAt: NOW })]
    expect([...keptOfCron(given, version.spec as CronJobSpec)].sort()).toEqual(['r1', 'r4', 'r5', 'r6'])
  })
})

describe('what is buried outlives everything', () => {
  it('so that a Job that ran once does not run again years later', () => {
    const decider = new Decider(jobState({ ttlSecondsAfterFinished: 10 })).decide()
    decider.say('migrate-1', { phase: 'Succeeded', attempts: [attempt(1, 0)] })
    expect(decider.last.wakeAt).toBe(NOW + 10 * SECOND)
    decider.after(10 * SECOND)
    expect(decider.state.tasks).toEqual([])
    expect(decider.run).toMatchObject({ phase: 'Succeeded', buriedAt: NOW + 10 * SECOND, attempts: [] })
    expect(decider.after(4000 * DAY).last).toEqual({ writes: [], wakeAt: null })
  })
})
