import {
  type ControlPlane,
  type ForgetRequest,
  type MaintenanceRequest,
  type PlanRequest,
  RequestError,
  type RollbackRequest,
  type SyncRequest,
  type WorkloadRef,
} from '../../src/control/requests/control-plane.ts'
import type { BackupLine } from '../../src/model/backup.ts'
import type { LogLine, LogOptions } from '../../src/model/protocol.ts'
import type {
  AgentView,
  AppView,
  EventView,
  ForgottenView,
  HealthView,
  HistoryView,
  PlanView,
  RolloutView,
  RunView,
  TaskView,
  VersionView,
  WhyView,
  WorkloadView,
} from '../../src/model/views.ts'

/** What a test may set and change; call `touch` after a change. */
export interface FakeData {
  version: VersionView
  health: HealthView
  backup: BackupLine[]
  apps: AppView[]
  tasks: TaskView[]
  runs: RunView[]
  agents: AgentView[]
  rollouts: RolloutView[]
  history: HistoryView[]
  events: EventView[]
  why: WhyView | null
  plan: PlanView | null
  objects: unknown[]
  /** Lines by task id. */
  logs: Record<string, LogLine[]>
}

interface WorkloadAsk {
  readonly workload: WorkloadRef
  readonly actor: string
}

interface AdmitAsk {
  readonly actor: string
}

interface RunAsk {
  readonly run: string
  readonly actor: string
}

export interface FakeControl extends ControlPlane {
  readonly data: FakeData
  /** Requests that reached it, for tests of what is passed on. */
  readonly asked: {
    verb: string
    app: string
    request: PlanRequest | SyncRequest | RollbackRequest | WorkloadAsk | RunAsk | MaintenanceRequest | ForgetRequest | AdmitAsk
  }[]
  /** Log readers that have not ended; 0 once every client has gone. */
  readonly openLogs: () => number
  readonly watchers: () => number
  /** Runs when `sync` is asked, before it answers. */
  onSync: () => void
  touch(): void
}

const givenUp = (id: string, actor: string): ForgottenView => ({ id, at: '2026-11-20T12:00:00.000Z', actor, lost: 2 })

/** The port `ControlPlane` over plain data, for tests of the API and the command line. */
export function fakeControl(data: Partial<FakeData> = {}): FakeControl {
  const all: FakeData = { ...nothing(), ...data }
  const listeners = new Set<() => void>()
  let openLogs = 0
  const asked: FakeControl['asked'] = []
  const appNamed = (name: string): AppView => {
    const app = all.apps.find((candidate) => candidate.name === name)
    if (app === undefined) throw new RequestError('NotFound', `there is no app "${name}"`)
    return app
  }
  const onWorkload = (verb: string, request: WorkloadAsk): WorkloadView => {
    const { namespace, kind, name } = request.workload
    const same = (view: WorkloadView) => view.namespace === namespace && view.kind === kind && view.name === name
    const found = all.apps.flatMap((app) => app.workloads).find(same)
    if (found === undefined) throw new RequestError('NotFound', `there is no ${kind} "${name}" in namespace ${namespace}`)
    asked.push({ verb, app: found.app, request })
    return found
  }
  /** The newest run, which a test has put there; where none goes on it is refused. */
  const begun = (isOf: (run: RunView) => boolean, name: string): RunView => {
    const made = all.runs.find((run) => isOf(run) && run.finishedAt === null)
    if (made === undefined) throw new RequestError('Conflict', `${name} cannot run now`)
    return made
  }
  const control: FakeControl = {
    data: all,
    asked,
    openLogs: () => openLogs,
    watchers: () => listeners.size,
    onSync: () => undefined,
    touch: () => {
      for (const listener of listeners) listener()
    },
    version: () => all.version,
    ready: () => undefined,
    health: async () => all.health,
    backup: async () => given(all.backup),
    apps: () => all.apps,
    app: appNamed,
    workloads: (): WorkloadView[] => all.apps.flatMap((app) => app.workloads),
    tasks: ({ run } = {}) => all.tasks.filter((task) => run === undefined || task.run === run),
    task: (id) => named('task', id, all.tasks),
    runs: () => all.runs,
    oneRun: (id) => named('run', id, all.runs),
    agents: () => all.agents,
    rollouts: () => all.rollouts,
    history: (app) => {
      appNamed(app)
      return all.history
    },
    events: ({ object, app }) =>
      all.events.filter((event) => (object === undefined || event.object === object) && (app === undefined || event.app === app)),
    why: (object) => {
      if (all.why === null) throw new RequestError('NotFound', `there is no ${object}`)
      return all.why
    },
    render: async (app, request) => {
      asked.push({ verb: 'render', app: appNamed(app).name, request })
      return { revision: 'main@sha1:1111111111111111111111111111111111111111', objects: all.objects }
    },
    plan: async (app, request) => {
      asked.push({ verb: 'plan', app: appNamed(app).name, request })
      if (all.plan === null) throw new RequestError('Unavailable', 'the repository cannot be read')
      return all.plan
    },
    sync: async (app, request) => {
      asked.push({ verb: 'sync', app: appNamed(app).name, request })
      control.onSync()
      return appNamed(app)
    },
    rollback: async (app, request) => {
      const found = all.history.find(
        (item) => String(item.id) === request.to || item.revision.endsWith(request.to) || item.revision.includes(`@sha1:${request.to}`),
      )
      asked.push({ verb: 'rollback', app: appNamed(app).name, request })
      if (found === undefined) throw new RequestError('NotFound', `app "${app}" has no revision "${request.to}" in its history`)
      return { app: appNamed(app), to: found, revertCommit: request.revert === 'CommitToGit' ? 'f'.repeat(40) : null }
    },
    maintain: async (agent, request) => {
      asked.push({ verb: request.verb, app: agent, request })
      const found = all.agents.find(({ id }) => id === agent)
      if (found === undefined) throw new RequestError('NotFound', `there is no agent "${agent}"`)
      return found
    },
    forget: async (agent, request) => {
      asked.push({ verb: 'forget', app: agent, request })
      return givenUp(agent, request.actor)
    },
    admit: async (agent, actor) => {
      asked.push({ verb: 'admit', app: agent, request: { actor } })
      return givenUp(agent, actor)
    },
    promote: async (workload, actor) => onWorkload('promote', { workload, actor }),
    abort: async (workload, actor) => onWorkload('abort', { workload, actor }),
    run: async (workload, actor) => {
      onWorkload('run', { workload, actor })
      return begun((run) => run.job === workload.name && run.namespace === workload.namespace, workload.name)
    },
    rerun: async (id, actor) => {
      const of = all.runs.find((run) => run.id === id)
      if (of === undefined) throw new RequestError('NotFound', `no run ${id}`)
      asked.push({ verb: 'rerun', app: of.app, request: { run: id, actor } })
      return begun((run) => run.job === of.job && run.namespace === of.namespace, id)
    },
    logs: async (task, options, signal) => {
      const lines = all.logs[`${task}.${options.attempt}`] ?? all.logs[task]
      if (lines === undefined) throw new RequestError('NotFound', `there is no task "${task}"`)
      const shown = linesOf(lines, options)
      return counted(options.follow ? followed(shown, ticks(listeners, signal), () => isOver(task, options.attempt)) : given(shown))
    },
    changes: (signal) => ticks(listeners, signal),
  }
  const isOver = (id: string, attempt: number | null): boolean => {
    const task = all.tasks.find((candidate) => candidate.id === id)
    return task !== undefined && (task.phase !== 'Running' || task.attempt !== (attempt ?? task.attempt))
  }
  async function* counted(lines: AsyncIterable<LogLine>): AsyncGenerator<LogLine> {
    openLogs += 1
    try {
      yield* lines
    } finally {
      openLogs -= 1
    }
  }
  return control
}

function named<T extends { id: string }>(kind: string, id: string, items: readonly T[]): T {
  const found = items.find((item) => item.id === id)
  if (found === undefined) throw new RequestError('NotFound', `there is no ${kind} "${id}"`)
  return found
}

const nothing = (): FakeData => ({
  version: { version: '0.1.0', cluster: 'test', epoch: 1, app: 'shop' },
  health: { now: new Date().toISOString(), findings: [] },
  backup: [],
  apps: [],
  tasks: [],
  runs: [],
  agents: [],
  rollouts: [],
  history: [],
  events: [],
  why: null,
  plan: null,
  objects: [],
  logs: {},
})

function linesOf(lines: readonly LogLine[], { tail, since, until }: LogOptions): readonly LogLine[] {
  const inRange = lines.filter(({ at }) => (since === null || (at ?? 0) >= since) && (until === null || (at ?? 0) <= until))
  return inRange.slice(tail === null ? 0 : Math.max(0, inRange.length - tail))
}

async function* given<T>(lines: readonly T[]): AsyncGenerator<T> {
  yield* lines
}

/** Ends with the attempt, of which a `touch` tells. */
async function* followed(lines: readonly LogLine[], touches: AsyncIterable<void>, isOver: () => boolean): AsyncGenerator<LogLine> {
  yield* lines
  if (isOver()) return
  for await (const _ of touches) if (isOver()) return
}

async function* ticks(listeners: Set<() => void>, signal: AbortSignal): AsyncGenerator<void> {
  let pending = 0
  let wake: () => void = () => undefined
  const listener = () => {
    pending += 1
    wake()
  }
  listeners.add(listener)
  signal.addEventListener('abort', () => wake(), { once: true })
  try {
    while (!signal.aborted) {
      if (pending === 0) await new Promise<void>((resolve) => (wake = resolve))
      if (pending > 0) yield
      pending = 0
    }
  } finally {
    listeners.delete(listener)
  }
}
