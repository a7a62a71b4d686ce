import type { AgentView, AppView, HistoryView, RunView, TaskView, WorkloadView } from '../../src/model/views.ts'

/** Views with every field set, for tests to vary. */

export const COMMIT_1 = '1111111111111111111111111111111111111111'
export const COMMIT_2 = '2222222222222222222222222222222222222222'
export const REVISION_1 = `main@sha1:${COMMIT_1}`
export const REVISION_2 = `main@sha1:${COMMIT_2}`
const DIGEST = 'd'.repeat(64)
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

export const runView = (over: Partial<RunView> = {}): RunView => ({
  id: 'migrate-1',
  app: 'shop',
  namespace: 'default',
  job: 'migrate',
  cronJob: null,
  slot: null,
  trigger: 'revision',
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
      reason: 'Completed',
      startedAt: '2026-11-20T11:00:00.000Z',
      finishedAt: '2026-11-20T11:00:42.000Z',
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
  joinedAt: '2026-11-18T12:00:00.000Z',
  ...over,
})

export const historyView = (over: Partial<HistoryView> = {}): HistoryView => ({
  id: 1,
  revision: REVISION_1,
  subject: 'Open the shop',
  cause: 'git',
  outcome: 'Healthy',
  startedAt: '2026-11-20T10:00:00.000Z',
  finishedAt: '2026-11-20T10:00:30.000Z',
  ...over,
})
