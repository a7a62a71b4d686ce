import { describe, expect, it } from 'vitest'
import { templateDigestOf } from '../../../src/control/source/render.ts'
import { nextRunId } from '../../../src/core/batch/job.ts'
import { runBase } from '../../../src/core/batch/run-record.ts'
import { workloadHealth } from '../../../src/core/health.ts'
import type { WorkloadState } from '../../../src/core/workload.ts'
import type { JobSpec } from '../../../src/model/batch.ts'
import { type TaskId, workloadKey } from '../../../src/model/ids.ts'
import { AGENT, attempt, digest, JOB_KEY, jobState, jobVersion, NOW, observed, task, waitsFor, workload } from '../../support/make.ts'
import { Decider } from '../decide.ts'

const unmet = [waitsFor()]
const idOf = ({ record, version, runs }: WorkloadState) => nextRunId(record, version.spec as JobSpec, runs)
const job = (spec: object = {}) => new Decider(jobState(spec))
const failed = (failures: number, exitCode: number) => ({
  phase: 'Failed' as const,
  failures,
  attempts: Array.from({ length: failures }, (_, index) => attempt(index + 1, exitCode)),
})
const succeeded = { phase: 'Succeeded' as const, attempts: [attempt(1, 0)] }

describe('a run', () => {
  it('is recorded before its task, goes on with it and succeeds with it', () => {
    const decider = job().decide()
    expect(decider.last.writes.map(({ table }) => table)).toEqual(['runs', 'tasks'])
    expect(decider.run).toMatchObject({
      id: `default.migrate-${digest('new').slice(0, 10)}`,
      phase: 'Running',
      startedAt: NOW,
      exitCode: null,
    })
    expect(decider.state.tasks[0]?.task).toMatchObject({ slot: '0', run: decider.run?.id, maxRestarts: 6 })
    decider.now += 1000
    decider.say('migrate-1', { ...succeeded, attempts: [attempt(1, 0, decider.now)] })
    expect(decider.run).toMatchObject({ phase: 'Succeeded', exitCode: 0, reason: 'Completed', finishedAt: NOW + 1000 })
    expect(decider.run?.attempts).toEqual([{ ...attempt(1, 0, decider.now), task: 'migrate-1', index: 0 }])
    expect(decider.after(3_600_000).last).toEqual({ writes: [], wakeAt: null })
  })

  it('is never repeated for a template that has one: not later, not by a revert', () => {
    const decider = job().decide().say('migrate-1', succeeded)
    decider.template('newer')
    expect(decider.ids).toEqual(['migrate-2'])
    decider.say('migrate-2', succeeded)
    expect(decider.template('new').acts).toEqual([])
    expect(decider.run).toMatchObject({ phase: 'Succeeded' })
    expect(workloadHealth(decider.state, decider.now).health).toBe('Healthy')
    expect(decider.template('newer').acts).toEqual([])
    expect(decider.ids).toEqual([])
  })

  it('gets another number when git comes back to a template whose run gave way before it ended', () => {
    const decider = job().decide().say('migrate-1', { phase: 'Running' })
    const first = String(decider.run?.id)
    decider.template('newer').say('migrate-1', { phase: 'Stopped', attempts: [attempt(1, 143)] })
    decider.say('migrate-2', succeeded)
    decider.template('new')
    expect(decider.run).toMatchObject({ id: `${first}-2`, phase: 'Running' })
    expect(decider.ids).toEqual(['migrate-3'])
    decider.say('migrate-3', succeeded)
    expect(workloadHealth(decider.state, decider.now).health).toBe('Healthy')
    expect(decider.template('newer').template('new').acts).toEqual([])
  })

  it('is superseded by a new template while it goes on, and keeps what its tasks tell in the end', () => {
    const decider = job().decide().say('migrate-1', { phase: 'Running' })
    const first = String(decider.run?.id)
    decider.template('newer')
    expect(decider.ids).toEqual(['migrate-2'])
    expect(decider.runs.get(first)).toMatchObject({ phase: 'Failed', reason: 'Superseded', finishedAt: NOW, attempts: [] })
    decider.say('migrate-1', { phase: 'Stopped', attempts: [attempt(1, 143)] })
    expect(decider.runs.get(first)).toMatchObject({
      reason: 'Superseded',
      finishedAt: NOW,
      attempts: [{ exitCode: 143, task: 'migrate-1' }],
    })
  })

  it('ends with its Job, and is then complete', () => {
    const decider = job().decide().say('migrate-1', { phase: 'Running' })
    const id = String(decider.run?.id)
    decider.state = { ...decider.state, record: workload({ key: JOB_KEY, wanted: false }) }
    decider.decide()
    expect(decider.runs.get(id)).toMatchObject({ phase: 'Failed', reason: 'Removed' })
    decider.say('migrate-1', { phase: 'Stopped', attempts: [attempt(1, 143)] })
    expect(decider.runs.get(id)?.attempts).toHaveLength(1)
    expect(decider.last.writes.at(-1)).toMatchObject({ table: 'workloads', value: null })
  })

  it('does not begin while a dependency is missing, and says that it waits', () => {
    const decider = new Decider(jobState({}, { unmet })).decide()
    expect(decider.run).toMatchObject({ phase: 'Pending', startedAt: null })
    expect(decider.ids).toEqual([])
    decider.state = { ...decider.state, unmet: [] }
    expect(decider.decide().ids).toEqual(['migrate-1'])
  })

  it('goes on once begun, whatever becomes of its dependencies', () => {
    const decider = job().decide()
    decider.state = { ...decider.state, unmet }
    expect(decider.say('migrate-1', failed(1, 1)).ids).toEqual(['migrate-2'])
  })
})

describe('completions and parallelism', () => {
  it('runs at most that many at once, until each number has succeeded once', () => {
    const decider = job({ completions: 5, parallelism: 2 }).decide()
    const done: string[] = []
    for (let turn = 0; decider.ids.length > 0 && turn < 20; turn += 1) {
      expect(decider.ids.length).toBeLessThanOrEqual(2)
      const next = decider.live[0]?.task
      done.push(String(next?.slot))
      decider.say(String(next?.id), succeeded)
    }
    expect(done.sort()).toEqual(['0', '1', '2', '3', '4'])
    expect(decider.run).toMatchObject({ phase: 'Succeeded', exitCode: 0 })
    expect(decider.run?.attempts.map(({ index }) => index).sort()).toEqual([0, 1, 2, 3, 4])
  })

  it('never starts more than are still missing', () => {
    expect(job({ completions: 2, parallelism: 9 }).decide().ids).toHaveLength(2)
  })

  it('repeats the number that failed', () => {
    const decider = job({ completions: 3, parallelism: 3 }).decide().say('migrate-2', failed(1, 1))
    expect(decider.live.map(({ task: { slot } }) => slot).sort()).toEqual(['0', '1', '2'])
  })

  it('stops the rest when it has failed', () => {
    const decider = job({ completions: 3, parallelism: 3, backoffLimit: 0 }).decide().say('migrate-2', failed(1, 7))
    expect(decider.run).toMatchObject({ phase: 'Failed', exitCode: 7 })
    expect(decider.live).toEqual([])
  })
})

describe('backoffLimit', () => {
  it('counts restarts in place and new placements together', () => {
    const decider = job({ backoffLimit: 3 }).decide()
    expect(decider.state.tasks[0]?.task.maxRestarts).toBe(3)
    decider.say('migrate-1', { phase: 'Preparing', failures: 2, attempts: [attempt(1, 3), attempt(2, 3)] })
    expect(decider.run?.phase).toBe('Running')
    decider.say('migrate-1', { phase: 'Lost', failures: 2, attempts: [attempt(1, 3), attempt(2, 3)] })
    decider.after((decider.last.wakeAt ?? decider.now) - decider.now)
    expect(decider.live[0]?.task).toMatchObject({ id: 'migrate-2', maxRestarts: 1 })
    decider.say('migrate-2', { ...failed(2, 5) })
    expect(decider.run).toMatchObject({ phase: 'Failed', reason: 'BackoffLimitExceeded', exitCode: 5 })
    expect(decider.run?.attempts).toHaveLength(4)
    expect(decider.after(3_600_000).ids).toEqual([])
  })

  it('is over when a task fails more often in place than it may', () => {
    const decider = job({ backoffLimit: 1 }).decide().say('migrate-1', { phase: 'Preparing', failures: 2 })
    expect(decider.run?.phase).toBe('Failed')
    expect(decider.ids).toEqual([])
  })

  it('zero: the first failure is the last', () => {
    const decider = job({ backoffLimit: 0 }).decide()
    expect(decider.state.tasks[0]?.task.maxRestarts).toBe(0)
    expect(decider.say('migrate-1', failed(1, 9)).run).toMatchObject({ phase: 'Failed', exitCode: 9 })
  })

  it('counts what was refused, after ever longer waits', () => {
    const decider = job({ backoffLimit: 3 }).decide()
    const waits: number[] = []
    for (let count = 0; count < 4; count += 1) {
      decider.say(String(decider.ids[0]), { phase: 'Rejected' })
      const wait = (decider.last.wakeAt ?? decider.now) - decider.now
      waits.push(wait)
      if (wait > 0) expect(decider.after(wait - 1).ids).toEqual([])
      if (wait > 0) decider.after(1)
    }
    expect(waits).toEqual([0, 10_000, 20_000, 0])
    expect(decider.run).toMatchObject({ phase: 'Failed', exitCode: null, reason: 'BackoffLimitExceeded' })
  })

  it('tells the exit code of what failed, also when something else succeeded after it', () => {
    const decider = job({ completions: 2, parallelism: 2, backoffLimit: 1 }).decide()
    decider.say('migrate-1', { phase: 'Preparing', failures: 1, attempts: [attempt(1, 42)] })
    decider.say('migrate-2', { ...succeeded, attempts: [attempt(1, 0, NOW + 5)] })
    decider.say('migrate-1', { phase: 'Lost', failures: 2, attempts: [attempt(1, 42)] })
    expect(decider.run).toMatchObject({ phase: 'Failed', exitCode: 42 })
  })
})

describe('its record', () => {
  it('takes attempts that are told only after the end', () => {
    const decider = job().decide().say('migrate-1', { phase: 'Succeeded', attempts: [] })
    expect(decider.run).toMatchObject({ phase: 'Succeeded', attempts: [] })
    decider.say('migrate-1', succeeded)
    expect(decider.run?.attempts).toHaveLength(1)
  })

  it('stays small enough for any store with thousands of attempts', () => {
    const decider = job({ completions: 3000, parallelism: 3000 }).decide()
    while (decider.run?.finishedAt === null) {
      const tasks = decider.state.tasks.map(({ task }) => ({
        task: { ...task, agent: AGENT },
        observed: observed({ task: task.id, phase: 'Succeeded', ready: false, attempts: [attempt(1, 0, NOW + Number(task.slot))] }),
      }))
      decider.state = { ...decider.state, tasks }
      decider.decide()
    }
    expect(decider.run).toMatchObject({ phase: 'Succeeded' })
    expect(JSON.stringify(decider.run).length).toBeLessThan(128 * 1024)
    expect(decider.run?.attempts.at(-1)).toMatchObject({ finishedAt: NOW + 2999 })
  })

  it('is named so that no other Job has the same: names joined alike, templates alike', () => {
    const state = (namespace: string, name: string) => {
      const version = { ...jobVersion(), namespace, name }
      const record = workload({ key: `${namespace}/Job/${name}` as typeof JOB_KEY, templateDigest: templateDigestOf(version) })
      return jobState({}, { record, version })
    }
    expect(idOf(state('a-b', 'c'))).not.toBe(idOf(state('a', 'b-c')))
  })

  it('is told apart from that of a workload whose names join alike', () => {
    const base = (namespace: string, name: string) => runBase({ key: workloadKey(namespace, 'CronJob', name) }, '20261121t0230z')
    expect(base('a-b', 'c')).not.toBe(base('a', 'b-c'))
  })

  it('stops tasks that belong to no run of the template', () => {
    const decider = job().decide()
    const stray = { task: task({ id: 'stray' as TaskId, workload: JOB_KEY, run: null }), observed: undefined }
    decider.state = { ...decider.state, tasks: [...decider.state.tasks, stray] }
    expect(decider.decide().last.writes).toMatchObject([{ id: 'stray', value: { desired: 'stop' } }])
  })
})
