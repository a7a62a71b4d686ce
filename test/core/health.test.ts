import { describe, expect, it } from 'vitest'
import { nextRunId } from '../../src/core/batch/job.ts'
import { mergeReasons, workloadHealth, worstHealth } from '../../src/core/health.ts'
import type { TaskState } from '../../src/core/task-state.ts'
import type { WorkloadState } from '../../src/core/workload.ts'
import type { JobSpec } from '../../src/model/batch.ts'
import type { RunId, TaskId } from '../../src/model/ids.ts'
import { reasonOf } from '../../src/model/reason.ts'
import type { Run } from '../../src/model/records.ts'
import type { Observed, Task } from '../../src/model/task.ts'
import type { Health } from '../../src/model/views.ts'
import { cronJobState, deploymentState, digest, jobState, NOW, run, taskState, waitsFor, workload } from '../support/make.ts'

const backOff = reasonOf('BackOff', 'exited with code 1, next start in 10 s')
const noRoom = reasonOf('InsufficientCpu', 'agent node-1 has 100m free, 500m are asked', 1)
const unmet = [waitsFor()]

let made = 0
const one = (over: Partial<Task>, said: Partial<Observed> | 'ready' | null = 'ready'): TaskState =>
  taskState({ id: `t${++made}` as TaskId, ...over }, said === 'ready' ? 'Running' : said)
const old = { templateDigest: digest('old') }

const DEPLOYMENTS: Record<string, { state: WorkloadState; is: Health; ready: number; codes?: string[]; wakeIn?: number }> = {
  'all ready': { state: deploymentState({ replicas: 2 }, { tasks: [one({}), one({ slot: '1' })] }), is: 'Healthy', ready: 2 },
  'scaled to zero': { state: deploymentState({ replicas: 0 }), is: 'Healthy', ready: 0 },
  'one still starts': {
    state: deploymentState({ replicas: 2 }, { tasks: [one({}), one({ slot: '1' }, { phase: 'Starting', ready: false })] }),
    is: 'Progressing',
    ready: 1,
  },
  'ready, but not for minReadySeconds': {
    state: deploymentState({ minReadySeconds: 10 }, { tasks: [one({}, { readySince: NOW - 4000, phase: 'Running' })] }),
    is: 'Progressing',
    ready: 0,
  },
  'all are ready, but of the version before': {
    state: deploymentState({ replicas: 1 }, { tasks: [one(old)] }),
    is: 'Progressing',
    ready: 1,
  },
  'new ones ready, an old one not yet stopped': {
    state: deploymentState({ replicas: 1 }, { tasks: [one({}), one(old)] }),
    is: 'Progressing',
    ready: 2,
  },
  'an old one that stops is no hindrance': {
    state: deploymentState({ replicas: 1 }, { tasks: [one({}), one({ ...old, desired: 'stop' }, { phase: 'Stopping', ready: false })] }),
    is: 'Healthy',
    ready: 1,
  },
  'a crash loop': {
    state: deploymentState({ replicas: 1 }, { tasks: [one({}, { phase: 'Preparing', ready: false, failures: 2, reasons: [backOff] })] }),
    is: 'Degraded',
    ready: 0,
    codes: ['BackOff'],
  },
  'it crashed, but runs again': {
    state: deploymentState({ replicas: 1 }, { tasks: [one({}, { phase: 'Running', ready: false, failures: 1 })] }),
    is: 'Progressing',
    ready: 0,
  },
  'the new version crashes while the old one serves': {
    state: deploymentState(
      { replicas: 1 },
      { tasks: [one(old), one({}, { phase: 'Preparing', ready: false, failures: 1, reasons: [backOff] })] },
    ),
    is: 'Degraded',
    ready: 1,
    codes: ['BackOff'],
  },
  'its image cannot be pulled, again and again': {
    state: deploymentState({}, { tasks: [one({}, { phase: 'Preparing', ready: false, reasons: [reasonOf('PrepareFailed', 'x', 4)] })] }),
    is: 'Degraded',
    ready: 0,
    codes: ['PrepareFailed'],
  },
  'refused by its agent': {
    state: deploymentState({}, { tasks: [one({}, { phase: 'Rejected', ready: false, reasons: [reasonOf('ProcessesNotAllowed', 'no')] })] }),
    is: 'Degraded',
    ready: 0,
    codes: ['ProcessesNotAllowed'],
  },
  'one failed long ago and was replaced; now more are asked': {
    state: deploymentState(
      { replicas: 2 },
      { tasks: [one({}, { phase: 'Lost', ready: false, reasons: [reasonOf('AgentForgot', 'x')] }), one({}), one({ slot: '1' }, null)] },
    ),
    is: 'Progressing',
    ready: 1,
  },
  'the version before failed, this one starts': {
    state: deploymentState({}, { tasks: [one(old, { phase: 'Rejected', ready: false, reasons: [backOff] }), one({}, null)] }),
    is: 'Progressing',
    ready: 0,
  },
  'unplaced for 29 s': {
    state: deploymentState({}, { tasks: [one({ agent: null, createdAt: NOW - 29_000 }, null)], unplaced: [noRoom] }),
    is: 'Progressing',
    ready: 0,
    wakeIn: 1000,
  },
  'unplaced for 30 s': {
    state: deploymentState({}, { tasks: [one({ agent: null, createdAt: NOW - 30_000 }, null)], unplaced: [noRoom] }),
    is: 'Degraded',
    ready: 0,
  },
  'waits for another': { state: deploymentState({}, { unmet }), is: 'Progressing', ready: 0, codes: ['DependencyNotReady'] },
  'is being removed': {
    state: deploymentState({}, { record: workload({ wanted: false }), tasks: [one({ desired: 'stop' })] }),
    is: 'Progressing',
    ready: 0,
    codes: ['Removing'],
  },
}

describe('a Deployment', () => {
  it.each(Object.entries(DEPLOYMENTS))('%s', (_, { state, is, ready, codes = [], wakeIn }) => {
    const health = workloadHealth(state, NOW)
    expect({ is: health.health, ready: health.ready, codes: health.reasons.map(({ code }) => code) }).toEqual({ is, ready, codes })
    expect(health.wakeAt).toBe(wakeIn === undefined ? null : NOW + wakeIn)
  })
})

const ofRun = (over: Partial<Run>, tasks: readonly TaskState[] = [], spec: object = {}): WorkloadState => {
  const state = jobState(spec)
  const own = run({ id: idOf(state), ...over })
  return { ...state, tasks, run: own, runs: [own] }
}
const idOf = ({ record, version, runs }: WorkloadState) => nextRunId(record, version.spec as JobSpec, runs)
const mine = (over: Partial<Task> = {}, said: Partial<Observed> | null = null) => one({ run: idOf(jobState()), ...over }, said)

const JOBS: Record<string, { state: WorkloadState; is: Health; ready: number; codes?: string[] }> = {
  'not begun': { state: jobState({}, { unmet }), is: 'Progressing', ready: 0, codes: ['DependencyNotReady'] },
  runs: { state: ofRun({}, [mine()]), is: 'Progressing', ready: 0 },
  'half done': {
    state: ofRun({}, [mine({}, { phase: 'Succeeded', ready: false }), mine({ slot: '1' })], { completions: 2 }),
    is: 'Progressing',
    ready: 1,
  },
  'tries again': {
    state: ofRun({}, [mine({}, { phase: 'Failed', ready: false, failures: 1, reasons: [backOff] }), mine()]),
    is: 'Progressing',
    ready: 0,
    codes: ['BackOff'],
  },
  'waits for room, however long': {
    state: { ...ofRun({}, [mine({ agent: null, createdAt: NOW - 3_600_000 })]), unplaced: [noRoom] },
    is: 'Progressing',
    ready: 0,
  },
  succeeded: { state: ofRun({ phase: 'Succeeded', finishedAt: NOW }, [], { completions: 3 }), is: 'Healthy', ready: 3 },
  failed: {
    state: ofRun({ phase: 'Failed', reason: 'BackoffLimitExceeded', finishedAt: NOW }),
    is: 'Degraded',
    ready: 0,
    codes: ['BackoffLimitExceeded'],
  },
}

describe('a Job', () => {
  it.each(Object.entries(JOBS))('%s', (_, { state, is, ready, codes = [] }) => {
    const health = workloadHealth(state, NOW)
    expect({ is: health.health, ready: health.ready, codes: health.reasons.map(({ code }) => code) }).toEqual({ is, ready, codes })
    expect(health.wakeAt).toBeNull()
  })
})

const first = run({ id: 'export-1' as RunId, number: 1 })
const second = run({ id: 'export-2' as RunId, number: 2 })
const third = run({ id: 'export-3' as RunId, number: 3 })
const failedRun: Run = { ...first, phase: 'Failed', reason: 'BackoffLimitExceeded', finishedAt: NOW }
const exited = (of: Run, slot = '0') => one({ run: of.id, slot }, { phase: 'Failed', ready: false, failures: 1, reasons: [backOff] })
const done = (of: Run, slot = '0') => one({ run: of.id, slot }, { phase: 'Succeeded', ready: false })
const serves = (of: Run, slot = '0') => one({ run: of.id, slot })
const cron = (runs: readonly Run[], tasks: readonly TaskState[] = [], spec: object = {}) => cronJobState(spec, { runs, tasks })

const CRON_JOBS: Record<string, { state: WorkloadState; is: Health; codes?: string[] }> = {
  'never ran': { state: cron([]), is: 'Healthy' },
  'its last run failed': { state: cron([failedRun], [exited(first)]), is: 'Degraded', codes: ['BackoffLimitExceeded'] },
  'its last run failed, and the next goes on': {
    state: cron([failedRun, second], [exited(first), serves(second)]),
    is: 'Degraded',
    codes: ['BackoffLimitExceeded'],
  },
  'well again once the next run has succeeded, though the tasks of the failed one stay for their logs': {
    state: cron([failedRun, { ...second, phase: 'Succeeded', finishedAt: NOW }], [exited(first), done(second)]),
    is: 'Healthy',
  },
  'a try failed, and the next is to come': { state: cron([first], [exited(first)]), is: 'Degraded', codes: ['BackOff'] },
  'well after a second try': { state: cron([first], [exited(first), serves(first)]), is: 'Healthy' },
  'well while a run goes on in which what failed has succeeded since': {
    state: cron([first], [exited(first), done(first), serves(first, '1')]),
    is: 'Healthy',
  },
  'not well while a try of this run failed, though the same slot of other runs succeeded or is served': {
    state: cron([first, second, third], [exited(first), done(second), serves(third)]),
    is: 'Degraded',
    codes: ['BackOff'],
  },
  'well when the run that failed gave way to another': {
    state: cron([{ ...failedRun, reason: 'Replaced' }, second], [exited(first), serves(second)], { concurrencyPolicy: 'Replace' }),
    is: 'Healthy',
  },
  suspended: { state: cron([failedRun], [exited(first)], { suspend: true }), is: 'Suspended', codes: ['Suspended'] },
}

describe('a CronJob', () => {
  it.each(Object.entries(CRON_JOBS))('%s', (_, { state, is, codes = [] }) => {
    const { health, reasons } = workloadHealth(state, NOW)
    expect({ is: health, codes: reasons.map(({ code }) => code) }).toEqual({ is, codes })
  })
})

it.each<[Health, Health[]]>([
  ['Healthy', []],
  ['Healthy', ['Healthy', 'Healthy']],
  ['Suspended', ['Healthy', 'Suspended']],
  ['Progressing', ['Suspended', 'Progressing', 'Healthy']],
  ['Missing', ['Progressing', 'Missing']],
  ['Degraded', ['Missing', 'Degraded', 'Healthy']],
  ['Unknown', ['Degraded', 'Unknown']],
])('%s is the worst of %j', (worst, all) => {
  expect(worstHealth(all)).toBe(worst)
  expect(worstHealth(all.toReversed())).toBe(worst)
})

it('merges reasons by code: counts add up, the most frequent comes first', () => {
  const reasons = [reasonOf('B', 'b'), reasonOf('A', 'first', 2), reasonOf('A', 'second', 3), reasonOf('C', 'c')]
  expect(mergeReasons(reasons)).toEqual([reasonOf('A', 'first', 5), reasonOf('B', 'b'), reasonOf('C', 'c')])
})
