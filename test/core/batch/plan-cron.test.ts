import { describe, expect, it } from 'vitest'
import { reconcile } from '../../../src/core/reconcile.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import type { CronState } from '../../../src/model/records.ts'
import { AGENT, attempt, CRON_KEY, digest, NOW, task, taskState, workload } from '../../support/make.ts'
import { CronDecider, ownRun } from './cron-world.ts'
import { DAY, HOUR, MINUTE, SECOND } from './make.ts'

const template = { spec: { driver: 'fake', containers: [{ name: 'main', image: 'a:1' }] } }
const minutely = (policy: string, over: object = {}) => ({ schedule: '* * * * *', concurrencyPolicy: policy, ...over })
/** In its first slot. */
const begun = (policy: string, over: object = {}) => new CronDecider(minutely(policy, over)).decide().after(MINUTE)
const RUNS = (phase: string) => `20261120t0001z ${phase}`

describe('while a run goes on, the next slot', () => {
  it('starts another under Allow', () => {
    expect(begun('Allow').after(MINUTE).told).toEqual([RUNS('Running'), '20261120t0002z Running'])
  })

  it('waits for its end under Forbid', () => {
    const decider = begun('Forbid').after(MINUTE)
    expect(decider.told).toEqual([RUNS('Running')])
    decider.now += 30 * SECOND
    expect(decider.end().told).toEqual([RUNS('Succeeded'), '20261120t0002z Running'])
  })

  it('ends it under Replace', () => {
    const decider = begun('Replace').after(MINUTE)
    expect(decider.told).toEqual([RUNS('Replaced'), '20261120t0002z Running'])
    expect(decider.state.tasks).toHaveLength(1)
  })

  it('does not replace what has just ended, which is told as it ended', () => {
    const decider = begun('Replace')
    decider.tell('export-1', { phase: 'Succeeded', attempts: [attempt(1, 0)] })
    expect(decider.after(MINUTE).told).toEqual([RUNS('Succeeded'), '20261120t0002z Running'])
  })

  it('replaces nothing that it cannot take the place of: exclusive waits for the machine', () => {
    const run = { exclusive: true, template }
    const decider = begun('Replace', { jobTemplate: { spec: run } })
      .say('export-1', { phase: 'Running' })
      .after(MINUTE)
    expect(decider.told).toEqual([RUNS('Replaced'), '20261120t0002z Running'])
    expect(decider.ids).toEqual([])
    expect(decider.say('export-1', { phase: 'Stopped' }).ids).toEqual(['export-2'])
  })
})

describe('a run', () => {
  it('goes on as it began when git says something else, and the next one is as git says', () => {
    const decider = begun('Allow', { jobTemplate: { spec: { completions: 2, template } } })
    decider.commit(minutely('Allow', { jobTemplate: { spec: { template } } }), 'newer').end()
    expect(decider.told).toEqual([RUNS('Running')])
    decider.end().after(MINUTE)
    expect(decider.told).toEqual([RUNS('Succeeded'), '20261120t0002z Running'])
    expect(decider.state.runs.map(({ templateDigest }) => templateDigest)).toEqual([digest('new'), digest('newer')])
  })

  it('of a Global CronJob ends on the machines that it began for, though the CronJob is Global no more', () => {
    const spec = minutely('Forbid', { jobTemplate: { spec: { mode: 'Global', template } } })
    const decider = new CronDecider(spec, { slots: [AGENT, 'node-2'] }).decide().after(MINUTE)
    expect(decider.state.tasks.map((one) => one.task.slot)).toEqual([AGENT, 'node-2'])
    decider.commit(minutely('Forbid'), 'newer')
    decider.state = { ...decider.state, slots: [] }
    expect(decider.end().told[0]).toBe(RUNS('Succeeded'))
  })

  it('whose record went takes its tasks with it, though the turn that dropped it was cut before it told them to stop', () => {
    const decider = begun('Allow').end()
    const stray = taskState({ id: 'stray' as TaskId, workload: CRON_KEY, run: 'default-export-gone' as never }, { phase: 'Running' })
    decider.state = { ...decider.state, tasks: [stray] }
    expect(decider.decide().last.writes).toMatchObject([{ table: 'tasks', id: 'stray', value: { desired: 'stop' } }])
  })

  it('that is replaced stops what runs, and leaves alone what has ended', () => {
    const decider = begun('Replace', { jobTemplate: { spec: { completions: 3, parallelism: 2, template } } })
    decider.say('export-1', { phase: 'Succeeded', attempts: [attempt(1, 0)] }).say('export-2', { phase: 'Running' })
    decider.after(MINUTE)
    const written = decider.last.writes.flatMap((write) => (write.table === 'tasks' ? [[write.id, write.value?.desired]] : []))
    expect(written).toEqual([
      ['export-2', 'stop'],
      ['export-3', undefined],
      ['export-4', 'run'],
      ['export-5', 'run'],
    ])
    expect(decider.state.runs[0]).toMatchObject({ reason: 'Replaced', succeeded: '0' })
  })
})

describe('the mark of a schedule', () => {
  const mark = (through: number, over: Partial<CronState> = {}) => ({
    through,
    schedule: '* * * * * UTC',
    missed: 0,
    lastMissed: null,
    ...over,
  })

  it('begins with the CronJob: no slot before it is any of its business', () => {
    const decider = new CronDecider(minutely('Forbid'), { record: workload({ key: CRON_KEY, createdAt: NOW - 30 * SECOND }) })
    expect(decider.decide().told).toEqual(['20261120t0000z Running'])
    expect(decider.mark).toMatchObject(mark(NOW))
  })

  it('begins anew with another schedule, and no slot comes twice for that', () => {
    const decider = begun('Allow').end()
    decider.now += 10 * MINUTE + 30 * SECOND
    decider.commit({ schedule: '*/5 * * * *', concurrencyPolicy: 'Allow' }).decide()
    expect(decider.told).toEqual([RUNS('Succeeded')])
    expect(decider.mark).toMatchObject({ schedule: '*/5 * * * * UTC', through: decider.now, missed: 0 })
    expect(decider.after(3.5 * MINUTE).told).toEqual([RUNS('Succeeded'), '20261120t0015z Running'])
  })

  it('is written after the runs that it counts as decided', () => {
    const decider = new CronDecider(minutely('Allow', { missedRuns: 'RunAll' })).decide()
    const { writes } = reconcile(decider.state, { now: NOW + 3 * MINUTE, newId: () => 'x' })
    expect(writes.map(({ table }) => table).filter((table) => table !== 'tasks' && table !== 'workloads')).toEqual([
      'runs',
      'runs',
      'runs',
      'schedules',
    ])
  })

  it('is found again by its runs when the turn was cut before it', () => {
    const decider = new CronDecider(minutely('Forbid', { missedRuns: 'RunAll' })).decide()
    const before = decider.mark
    decider.after(2 * MINUTE)
    expect(decider.told).toEqual([RUNS('Running')])
    if (decider.state.cron !== null) decider.state = { ...decider.state, cron: { ...decider.state.cron, state: before } }
    expect(decider.decide().told).toEqual([RUNS('Running')])
    expect(decider.mark).toMatchObject(mark(NOW + MINUTE))
    expect(decider.end().told).toEqual([RUNS('Succeeded'), '20261120t0002z Running'])
  })

  it('begins anew when the CronJob returns before it is gone: what passed meanwhile was not wanted', () => {
    const decider = begun('Forbid', { missedRuns: 'RunAll' }).say('export-1', { phase: 'Running' })
    decider.state = { ...decider.state, record: { ...decider.state.record, wanted: false } }
    decider.decide()
    expect(decider.told).toEqual([RUNS('Removed')])
    expect(decider.mark).toMatchObject({ schedule: null })
    decider.now += HOUR
    decider.state = { ...decider.state, record: { ...decider.state.record, wanted: true, updatedAt: decider.now } }
    expect(decider.decide().told).toEqual([RUNS('Removed')])
    expect(decider.after(MINUTE).told).toEqual([RUNS('Removed'), '20261120t0102z Running'])
  })

  it('stays small and exact over a year without a control plane', () => {
    const decider = begun('Forbid').end()
    decider.now = NOW + 366 * DAY
    expect(decider.decide().told).toEqual([RUNS('Succeeded'), '20271121t0000z Running'])
    expect(decider.mark).toMatchObject(mark(NOW + 366 * DAY, { missed: 366 * 1440 - 2, lastMissed: NOW + 366 * DAY - MINUTE }))
  })
})

describe('what an agent that came back does not know of', () => {
  const forgot = { phase: 'Lost' as const, reasons: [{ code: 'AgentForgot', message: 'came back without it', count: 1 }], attempts: [] }

  it('keeps a CronJob that leaves until it must be swept away', () => {
    const decider = begun('Forbid').say('export-1', forgot)
    decider.state = { ...decider.state, record: { ...decider.state.record, wanted: false } }
    expect(decider.decide().last.wakeAt).toBe(NOW + 2 * MINUTE)
    decider.after(MINUTE)
    expect(decider.last.writes.at(-1)).toMatchObject({ table: 'workloads', value: null })
  })

  it('is not forgotten with its run while exclusive may have to wait for it', () => {
    const lost = { task: task({ id: 'old' as TaskId, workload: CRON_KEY, run: 'default-export-old' as never }), observed: undefined }
    const decider = new CronDecider(minutely('Forbid', { failedJobsHistoryLimit: 0 }))
    decider.state = { ...decider.state, runs: [ownRun('default-export-old', { phase: 'Failed', finishedAt: NOW })], tasks: [lost] }
    decider.say('old', forgot)
    expect(decider.state.tasks).toHaveLength(1)
    expect(decider.after(MINUTE).state.tasks.map((one) => one.task.id)).not.toContain('old')
  })
})
