import { calendarOf } from '../../src/control/leader/calendars.ts'
import type { TaskState } from '../../src/core/task-state.ts'
import type { Unmet, WorkloadState } from '../../src/core/workload.ts'
import { digestOf } from '../../src/lib/canonical.ts'
import type { CronJobSpec } from '../../src/model/batch.ts'
import type { AgentId, Digest, Oid, RunId, TaskId, WorkloadKey } from '../../src/model/ids.ts'
import { workloadKey } from '../../src/model/ids.ts'
import { CronJob, Deployment, Job, SyncPolicy } from '../../src/model/manifest.ts'
import type { AgentRecord, AppRecord, Quarantine, RevisionRecord, Run, WorkloadRecord } from '../../src/model/records.ts'
import type { Observed, ObservedPhase, Task, TaskStatus } from '../../src/model/task.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'

/** Builders of records: what a test does not say is plain and valid. */

/** 2026-11-20T00:00:00Z. */
export const NOW = 1_795_132_800_000
export const KEY = workloadKey('default', 'Deployment', 'web')
export const JOB_KEY = workloadKey('default', 'Job', 'migrate')
export const CRON_KEY = workloadKey('default', 'CronJob', 'export')
export const AGENT = 'node-1' as AgentId

/** A digest that stands for `word`. */
export const digest = (word: string): Digest => digestOf(word)
/** A commit or tree id that stands for `word`. */
export const oid = (word: string): Oid => digestOf(word).slice(0, 40) as Oid
export const revision = (word: string): string => `main@sha1:${oid(word)}`

const apiVersion = 'drover.dev/v1'
const template = { spec: { driver: 'fake', containers: [{ name: 'main', image: 'a:1' }] } }

type Inputs = Partial<Pick<WorkloadVersion, 'configs' | 'trees'>>

/** A Deployment as the manifests give it, with every default. */
export function deploymentVersion(spec: object = {}, { configs = {}, trees = {} }: Inputs = {}): WorkloadVersion {
  const parsed = Deployment.parse({ apiVersion, kind: 'Deployment', metadata: { name: 'web' }, spec: { template, ...spec } })
  return { kind: 'Deployment', namespace: 'default', name: 'web', spec: parsed.spec, configs, trees }
}

export function jobVersion(spec: object = {}, { configs = {}, trees = {} }: Inputs = {}): WorkloadVersion {
  const parsed = Job.parse({ apiVersion, kind: 'Job', metadata: { name: 'migrate' }, spec: { template, ...spec } })
  return { kind: 'Job', namespace: 'default', name: 'migrate', spec: parsed.spec, configs, trees }
}

export function workload(over: Partial<WorkloadRecord> = {}): WorkloadRecord {
  return {
    key: KEY,
    app: 'shop',
    revision: revision('first'),
    inputsDigest: digest('inputs'),
    templateDigest: digest('new'),
    file: 'web.yaml',
    wanted: true,
    generation: 1,
    intent: 'Update',
    cause: 'poll',
    good: null,
    createdAt: NOW,
    updatedAt: NOW,
    ...over,
  }
}

export function task(over: Partial<Task> = {}): Task {
  return {
    id: 'web-1' as TaskId,
    workload: KEY,
    app: 'shop',
    slot: '0',
    run: null,
    agent: AGENT,
    ports: {},
    inputsDigest: digest('inputs'),
    templateDigest: digest('new'),
    revision: revision('first'),
    desired: 'run',
    stopReason: null,
    generation: 1,
    maxRestarts: null,
    createdAt: NOW,
    ...over,
  }
}

function status(over: Partial<TaskStatus> = {}): TaskStatus {
  return {
    task: 'web-1' as TaskId,
    attempt: 1,
    phase: 'Running',
    ready: true,
    failures: 0,
    reasons: [],
    backoffUntil: null,
    startedAt: NOW,
    attempts: [],
    images: {},
    lastLines: [],
    ...over,
  }
}

export function observed(over: Partial<Observed> = {}): Observed {
  const told = status(over)
  return { ...told, agent: AGENT, readySince: told.ready ? NOW : null, updatedAt: NOW, ...over }
}

/** A task and what its agent said; `null`: it has said nothing. */
export function taskState(over: Partial<Task> = {}, said: Partial<Observed> | ObservedPhase | null = null): TaskState {
  const made = task(over)
  if (said === null) return { task: made, observed: undefined }
  const spoken = typeof said === 'string' ? { phase: said, ready: said === 'Running' } : said
  return { task: made, observed: observed({ task: made.id, ...spoken }) }
}

/** An attempt's terminal record. */
export function attempt(number: number, exitCode: number | null, finishedAt = NOW) {
  const reason = exitCode === 0 ? 'Completed' : 'Error'
  return { attempt: number, exitCode, signal: null, reason, message: null, startedAt: NOW, finishedAt, peakMemoryBytes: null }
}

const BARE = {
  tasks: [],
  run: null,
  staleRuns: [],
  runs: [],
  blocked: 'No' as const,
  cron: null,
  slots: [],
  unplaced: [],
  unmet: [],
  rollouts: [],
  fallback: null,
  unit: 'Workload' as const,
  removalWaits: [],
  machines: { drains: new Map(), silent: new Map(), replacement: 'Go' as const },
  ledSince: NOW,
}

/** A dependency that is on its way, unless said otherwise. */
export function waitsFor(over: Partial<Unmet> = {}): Unmet {
  const reason = { code: 'DependencyNotReady', message: 'waits for deployment/db to be Available; it is Progressing', count: 1 }
  return { reason, standing: 'Moving', because: null, ...over }
}

export function deploymentState(spec: object = {}, over: Partial<WorkloadState> = {}): WorkloadState {
  const version = deploymentVersion(spec)
  const replicas = version.kind === 'Deployment' ? version.spec.replicas : 0
  const slots = Array.from({ length: replicas }, (_, index) => String(index))
  return { ...BARE, record: workload(), version, slots, ...over }
}

export function jobState(spec: object = {}, over: Partial<WorkloadState> = {}): WorkloadState {
  const record = workload({ key: JOB_KEY })
  return { ...BARE, record, version: jobVersion(spec), ...over }
}

function cronJobVersion(spec: object = {}): WorkloadVersion {
  const times = 'after' in spec ? {} : { schedule: '0 * * * *' }
  const manifest = {
    apiVersion,
    kind: 'CronJob',
    metadata: { name: 'export' },
    spec: { ...times, jobTemplate: { spec: { template } }, ...spec },
  }
  return { kind: 'CronJob', namespace: 'default', name: 'export', spec: CronJob.parse(manifest).spec, configs: {}, trees: {} }
}

/** A CronJob whose slots are the full hours, or with `after` one whose parents never ran. */
export function cronJobState(spec: object = {}, over: Partial<WorkloadState> = {}): WorkloadState {
  const version = cronJobVersion(spec)
  const { schedule, timeZone, after = [] } = version.spec as CronJobSpec
  const calendar = schedule === undefined ? null : calendarOf(schedule, timeZone)
  const cron = { state: null, calendar, parents: after.map(() => []), going: new Map() }
  return { ...BARE, record: workload({ key: CRON_KEY }), version, cron, ...over }
}

export function run(over: Partial<Run> = {}): Run {
  return {
    id: 'default-migrate-x' as RunId,
    workload: JOB_KEY,
    app: 'shop',
    number: 1,
    trigger: 'Sync',
    actor: null,
    slot: null,
    graph: null,
    parents: [],
    phase: 'Running',
    exitCode: null,
    reason: null,
    message: null,
    createdAt: NOW,
    startedAt: NOW,
    finishedAt: null,
    inputsDigest: digest('inputs'),
    templateDigest: digest('new'),
    revision: revision('first'),
    succeeded: '',
    failedIndexes: '',
    failures: 0,
    indexFailures: {},
    counted: [],
    attempts: [],
    lastLines: [],
    images: {},
    buriedAt: null,
    ...over,
  }
}

export function quarantine(over: Partial<Quarantine> = {}): Quarantine {
  return {
    workload: KEY,
    app: 'shop',
    bad: digest('bad'),
    good: digest('good'),
    badRevision: revision('bad'),
    goodRevision: revision('good'),
    reason: 'rolled back by ada',
    actor: 'ada',
    at: NOW,
    because: null,
    revisionId: null,
    evidence: [],
    ...over,
  }
}

export function agentRecord(over: Partial<AgentRecord> = {}): AgentRecord {
  return {
    id: AGENT,
    instance: 'i-1',
    bootId: 'b-1',
    version: '0',
    capacity: { cpuMillis: 4000, memoryBytes: 2 ** 33, ports: { from: 20_000, to: 20_999 } },
    labels: { os: 'linux' },
    drivers: {
      fake: { available: true, detail: 'fake' },
      docker: { available: false, detail: 'no' },
      process: { available: false, detail: 'no' },
    },
    pressure: [],
    joinedAt: NOW,
    maintenance: null,
    silence: null,
    ...over,
  }
}

export const named = (name: string): WorkloadKey => workloadKey('default', 'Deployment', name)

export function revisionRecord(over: Partial<RevisionRecord> = {}): RevisionRecord {
  return {
    id: 1,
    app: 'shop',
    revision: revision('first'),
    commit: oid('first'),
    subject: 'first',
    cause: 'poll',
    rendered: digest('rendered'),
    outcome: 'Progressing',
    reason: null,
    deadlineAt: null,
    startedAt: NOW,
    finishedAt: null,
    ...over,
  }
}

export function app(over: Partial<AppRecord> = {}): AppRecord {
  return {
    name: 'shop',
    source: { repo: '/repo', ref: 'main', path: '.' },
    policy: SyncPolicy.parse({}),
    createdAt: NOW,
    observedRevision: null,
    lastAttemptedRevision: null,
    lastAppliedRevision: null,
    lastRevisionId: 0,
    problems: [],
    holds: [],
    ...over,
  }
}
