import type { AgentView, AppView, HistoryView, RolloutView, RunView, ScheduleView, TaskView, WorkloadView } from '../../src/model/views.ts'

/** Views with every field set, for tests to vary. */

export const COMMIT_1 = '1111111111111111111111111111111111111111'
export const COMMIT_2 = '2222222222222222222222222222222222222222'
export const REVISION_1 = `main@sha1:${COMMIT_1}`
export const REVISION_2 = `main@sha1:${COMMIT_2}`
const DIGEST = 'd'.repeat(64)
const OLD_DIGEST = 'a'.repeat(64)
/** The wall clock of these tests; views are some time before it. */
export const NOW = Date.parse('2026-11-20T12:00:00Z')

export const workloadView = (over: Partial<WorkloadView> = {}): WorkloadView => ({
  namespace: 'default',
  kind: 'Deployment',
  name: 'web',
  app: 'shop',
  health: 'Healthy',
  desired: 2,
  ready: 2,
  inputsDigest: DIGEST,
  revision: REVISION_1,
  quarantine: null,
  reasons: [],
  rollout: null,
  schedule: null,
  ...over,
})

/** Of a CronJob that starts after nothing, and never ran. */
export const scheduleView = (over: Partial<ScheduleView> = {}): ScheduleView => ({
  schedule: null,
  timeZone: null,
  after: [],
  suspend: false,
  concurrencyPolicy: 'Forbid',
  nextRun: null,
  lastRun: null,
  lastPhase: null,
  lastStartedAt: null,
  active: [],
  missed: 0,
  lastMissed: null,
  through: '2026-11-19T00:00:00.000Z',
  ...over,
})

export const appView = (over: Partial<AppView> = {}): AppView => ({
  name: 'shop',
  source: { repo: '/srv/shop', ref: 'main', path: '.' },
  sync: 'Synced',
  health: 'Healthy',
  observedRevision: REVISION_1,
  lastAttemptedRevision: REVISION_1,
  lastAppliedRevision: REVISION_1,
  workloads: [workloadView()],
  problems: [],
  holds: [],
  ...over,
})

export const taskView = (over: Partial<TaskView> = {}): TaskView => ({
  id: 'web-0-abc12',
  app: 'shop',
  namespace: 'default',
  kind: 'Deployment',
  workload: 'web',
  slot: '0',
  run: null,
  agent: 'node-1',
  phase: 'Running',
  desired: 'run',
  attempt: 1,
  ready: true,
  exitCode: null,
  reasons: [],
  ports: { http: 20001 },
  inputsDigest: DIGEST,
  revision: REVISION_1,
  createdAt: '2026-11-20T11:55:00.000Z',
  attempts: [],
  ...over,
})

/** Killed for lack of memory. */
export const attemptView = (over: Partial<RunView['attempts'][number]> = {}): RunView['attempts'][number] => ({
  task: 'report-0-oom77',
  attempt: 1,
  index: 0,
  exitCode: 137,
  signal: 'SIGKILL',
  reason: 'OOMKilled',
  message: null,
  startedAt: '2026-11-20T11:00:00.000Z',
  finishedAt: '2026-11-20T11:00:12.000Z',
  peakMemoryBytes: 64 * 2 ** 20,
  ...over,
})

export const runView = (over: Partial<RunView> = {}): RunView => ({
  id: 'migrate-1',
  app: 'shop',
  namespace: 'default',
  job: 'migrate',
  cronJob: null,
  number: 1,
  slot: null,
  trigger: 'revision',
  actor: null,
  graph: null,
  parents: [],
  succeeded: 1,
  completions: 1,
  message: null,
  createdAt: '2026-11-20T11:00:00.000Z',
  phase: 'Succeeded',
  exitCode: 0,
  reason: null,
  startedAt: '2026-11-20T11:00:00.000Z',
  finishedAt: '2026-11-20T11:00:42.000Z',
  inputsDigest: DIGEST,
  revision: REVISION_1,
  attempts: [
    {
      task: 'migrate-0-xyz',
      attempt: 1,
      index: 0,
      exitCode: 0,
      signal: null,
      reason: 'Completed',
      message: null,
      startedAt: '2026-11-20T11:00:00.000Z',
      finishedAt: '2026-11-20T11:00:42.000Z',
      peakMemoryBytes: 50_331_648,
    },
  ],
  lastLines: ['migrated 3 tables'],
  ...over,
})

export const agentView = (over: Partial<AgentView> = {}): AgentView => ({
  id: 'node-1',
  status: 'Ready',
  version: '0.1.0',
  labels: { os: 'linux', zone: 'a' },
  drivers: {
    process: { available: true, detail: 'cgroup v2' },
    docker: { available: false, detail: 'no socket at /var/run/docker.sock' },
  },
  capacity: { cpuMillis: 2000, memoryBytes: 8 * 2 ** 30 },
  used: { cpuMillis: 500, memoryBytes: 2 ** 30, tasks: 2 },
  pressure: [],
  joinedAt: '2026-11-18T12:00:00.000Z',
  silentSince: null,
  reasons: [],
  maintenance: null,
  ...over,
})

export const historyView = (over: Partial<HistoryView> = {}): HistoryView => ({
  id: 1,
  revision: REVISION_1,
  subject: 'Open the shop',
  cause: 'git',
  outcome: 'Healthy',
  reason: null,
  startedAt: '2026-11-20T10:00:00.000Z',
  finishedAt: '2026-11-20T10:00:30.000Z',
  results: [],
  ...over,
})

/** Under way since a minute, on its way from the first revision to the second. */
export const rolloutView = (over: Partial<RolloutView> = {}): RolloutView => ({
  id: 'default/Deployment/web/3',
  app: 'shop',
  namespace: 'default',
  kind: 'Deployment',
  workload: 'web',
  number: 3,
  phase: 'Rolling',
  intent: 'Update',
  cause: 'poll',
  revision: REVISION_2,
  inputsDigest: DIGEST,
  fromRevision: REVISION_1,
  fromInputsDigest: OLD_DIGEST,
  step: null,
  desired: 5,
  updated: 2,
  available: 4,
  deadline: '2026-11-20T12:09:00.000Z',
  until: null,
  failure: null,
  startedAt: '2026-11-20T11:59:00.000Z',
  finishedAt: null,
  ...over,
})

type Evidence = NonNullable<RolloutView['failure']>['evidence'][number]

export const evidenceView = (over: Partial<Evidence> = {}): Evidence => ({
  task: 'web-0-new99',
  attempt: 3,
  code: 'CrashLoop',
  message: 'exited 3 times',
  exitCode: 1,
  lastLines: ['connecting to db', 'panic: no such \u001b[31mtable'],
  ...over,
})

/** Over: it crashed, and what ran before was brought back. */
export const rolledBackView = (over: Partial<RolloutView> = {}): RolloutView =>
  rolloutView({
    phase: 'RolledBack',
    desired: null,
    updated: null,
    available: null,
    deadline: null,
    failure: { code: 'CrashLoop', message: '2 of 2 new tasks crash', because: null, evidence: [evidenceView()] },
    finishedAt: '2026-11-20T11:59:42.000Z',
    ...over,
  })

export const quarantineView = (over: Partial<NonNullable<WorkloadView['quarantine']>> = {}): NonNullable<WorkloadView['quarantine']> => ({
  bad: DIGEST,
  good: OLD_DIGEST,
  badRevision: REVISION_2,
  goodRevision: REVISION_1,
  reason: 'CrashLoop: 2 of 2 new tasks crash',
  actor: 'drover',
  at: '2026-11-20T11:59:42.000Z',
  because: null,
  evidence: [evidenceView()],
  ...over,
})
