import type { RunView, ScheduleView, TaskView, WorkloadView } from '../../src/model/views.ts'
import type { FakeData } from './fake-control.ts'
import { appView, runView, scheduleView, taskView, workloadView } from './fake-views.ts'

/** Batch of a night: a graph that stuck in the middle, a CronJob that somebody runs by hand, one that rests, a Job. */
export function nightly(): Partial<FakeData> {
  return {
    version: { version: '0.1.0', cluster: 'shop-cluster', epoch: 3, app: 'shop' },
    apps: [appView({ health: 'Degraded', workloads: WORKLOADS })],
    runs: RUNS,
    tasks: TASKS,
    events: [
      event('1', 'RunStarted', `run/${id('load')}: After, slot ${SLOT}`),
      event('2', 'RunFailed', `run/${id('load')}: BackoffLimitExceeded, exit code 3`),
      event('3', 'RunStarted', `run/${id('load')}-2: Rerun, slot ${SLOT}`),
    ],
    why: {
      object: 'default/CronJob/report',
      health: 'Healthy',
      summary: 'Healthy: no run under way, at main@sha1:1111111111111111111111111111111111111111',
      lines: [
        {
          about: `cronjob/load in the graph of run/${id('export')}`,
          reasons: [{ code: 'ParentFailed', message: `run/${id('load')} failed: BackoffLimitExceeded`, count: 1 }],
          until: null,
        },
      ],
      nextWake: null,
    },
    logs: {
      'load-x1': [{ stream: 'stdout', at: null, text: 'no such table' }],
      'backup-y1': [{ stream: 'stdout', at: null, text: 'copying' }],
    },
  }
}

const SLOT = '2026-11-20T02:30:00.000Z'
const id = (name: string): string => `default.${name}-20261120t0230z`

const event = (number: string, reason: string, message: string) => ({
  id: number,
  at: '2026-11-20T02:31:00.000Z',
  object: 'cronjob/default/load',
  app: 'shop',
  reason,
  message,
  level: reason === 'RunFailed' ? ('Warning' as const) : ('Normal' as const),
  actor: 'drover',
})

function cron(name: string, schedule: Partial<ScheduleView>, over: Partial<WorkloadView> = {}): WorkloadView {
  return workloadView({ kind: 'CronJob', name, desired: 0, ready: 0, schedule: scheduleView(schedule), ...over })
}

const after = (name: string, parents: string[], phase: RunView['phase'] | null = null, over: Partial<WorkloadView> = {}): WorkloadView =>
  cron(
    name,
    phase === null
      ? { after: parents }
      : { after: parents, lastRun: id(name), lastPhase: phase, lastStartedAt: '2026-11-20T02:31:00.000Z' },
    over,
  )

const FAILED = { code: 'BackoffLimitExceeded', message: `run ${id('load')} failed`, count: 1 }

const WORKLOADS: WorkloadView[] = [
  cron(
    'backup',
    {
      schedule: '0 12 * * *',
      timeZone: 'UTC',
      nextRun: '2026-11-21T12:00:00.000Z',
      lastRun: 'default.backup-manual-4',
      lastPhase: 'Running',
      lastStartedAt: '2026-11-20T11:58:00.000Z',
      active: ['default.backup-manual-4'],
      missed: 2,
      lastMissed: '2026-11-18T12:00:00.000Z',
    },
    { desired: 1, ready: 1 },
  ),
  cron('export', {
    schedule: '30 3 * * *',
    timeZone: 'Europe/Berlin',
    nextRun: '2026-11-21T02:30:00.000Z',
    lastRun: id('export'),
    lastPhase: 'Succeeded',
    lastStartedAt: SLOT,
  }),
  after('check', ['export'], 'Succeeded'),
  after('load', ['export'], 'Failed', { health: 'Degraded', reasons: [FAILED] }),
  after('mail', ['report', 'check']),
  after('report', ['check', 'load']),
  cron(
    'rests',
    {
      schedule: '@weekly',
      timeZone: 'UTC',
      suspend: true,
      lastRun: 'default.rests-manual-1',
      lastPhase: 'Pending',
      active: ['default.rests-manual-1'],
    },
    { health: 'Suspended', desired: 1, reasons: [{ code: 'Suspended', message: 'suspend is true', count: 1 }] },
  ),
  workloadView({ kind: 'Job', name: 'migrate', desired: 1, ready: 1 }),
]

const node = (name: string, over: Partial<RunView> = {}): RunView =>
  runView({
    id: id(name),
    job: name,
    cronJob: name,
    slot: SLOT,
    trigger: 'After',
    graph: id('export'),
    parents: [id('export')],
    reason: 'Completed',
    createdAt: '2026-11-20T02:31:00.000Z',
    startedAt: '2026-11-20T02:31:00.000Z',
    finishedAt: '2026-11-20T02:31:12.000Z',
    attempts: [],
    lastLines: [],
    ...over,
  })

const RUNS: RunView[] = [
  runView({
    id: 'default.backup-manual-4',
    job: 'backup',
    cronJob: 'backup',
    number: 4,
    trigger: 'Manual',
    actor: 'cli:ann',
    graph: 'default.backup-manual-4',
    phase: 'Running',
    succeeded: 2,
    completions: 5,
    exitCode: null,
    createdAt: '2026-11-20T11:58:00.000Z',
    startedAt: '2026-11-20T11:58:00.000Z',
    finishedAt: null,
    attempts: [],
    lastLines: [],
  }),
  node('load', {
    phase: 'Failed',
    reason: 'BackoffLimitExceeded',
    exitCode: 3,
    succeeded: 0,
    lastLines: ['no such table'],
    attempts: [
      {
        task: 'load-x1',
        attempt: 1,
        index: 0,
        exitCode: 3,
        signal: null,
        reason: 'Error',
        message: null,
        startedAt: '2026-11-20T02:31:00.000Z',
        finishedAt: '2026-11-20T02:31:12.000Z',
        peakMemoryBytes: null,
      },
    ],
  }),
  node('check'),
  node('export', { trigger: 'Schedule', parents: [], createdAt: SLOT, startedAt: SLOT, finishedAt: '2026-11-20T02:30:58.000Z' }),
  runView({
    ...{
      id: 'default.rests-manual-1',
      job: 'rests',
      cronJob: 'rests',
      graph: 'default.rests-manual-1',
      trigger: 'Manual',
      actor: 'cli:ann',
    },
    ...{ phase: 'Pending', succeeded: 0, exitCode: null, startedAt: null, finishedAt: null, attempts: [], lastLines: [] },
  }),
  runView(),
]

const TASKS: TaskView[] = [
  taskView({ id: 'backup-y1', kind: 'CronJob', workload: 'backup', run: 'default.backup-manual-4', slot: '2', ports: {} }),
]
