import type { TaskState } from '../../core/task-state.ts'
import type { Clock } from '../../lib/clock.ts'
import { RetryableError } from '../../lib/errors.ts'
import { must } from '../../lib/must.ts'
import { type AgentId, type RunId, type TaskId, workloadKey } from '../../model/ids.ts'
import { type ClusterIdentity, Rendered, type Run } from '../../model/records.ts'
import type { Rollout } from '../../model/rollout.ts'
import type { WorkloadView } from '../../model/views.ts'
import { backupLines } from '../../store/backup.ts'
import { readBlob } from '../../store/blobs.ts'
import type { Store, StoreStatus } from '../../store/store.ts'
import type { LogTickets } from '../agents/log-tickets.ts'
import { openLogs } from '../agents/task-logs.ts'
import { changesOf } from '../leader/changes.ts'
import { DemotedError } from '../leader/commit.ts'
import type { LeadingTerm } from '../leader/lead.ts'
import { readVersion } from '../leader/load.ts'
import type { Term, TurnContext } from '../leader/term.ts'
import { refuseByGit } from '../source/git-refusal.ts'
import type { Renderer } from '../source/render.ts'
import { inTurn, type Source } from '../source/source.ts'
import type { ControlPlane, PlanRequest, RollbackRequest } from './control-plane.ts'
import { RequestError, type SyncRequest, type WorkloadRef } from './control-plane.ts'
import { admit, forget } from './forget.ts'
import { healthOf } from './health.ts'
import { maintain } from './maintenance.ts'
import { planApp, renderApp } from './plan.ts'
import { revertInGit } from './revert.ts'
import { findRevision, rollBack } from './rollback.ts'
import { rolloutView } from './rollout-views.ts'
import { abort, promote } from './rollouts.ts'
import { runView } from './run-views.ts'
import { repeatRun, startRun } from './runs.ts'
import { iso } from './times.ts'
import { agentView, appView, eventView, historyView, taskView, workloadView } from './views.ts'
import { whyObject } from './why.ts'

/** The term that leads now, with what it holds open beside its memory. */
export interface Leading extends LeadingTerm {
  readonly sources: ReadonlyMap<string, Source>
  readonly signal: AbortSignal
}

export interface RequestDeps {
  readonly store: Store
  readonly clock: Clock
  readonly renderer: Renderer
  readonly newId: () => string
  readonly version: string
  readonly app: { readonly name: string }
  readonly identity: ClusterIdentity
  readonly storeStatus: () => Promise<StoreStatus>
  /** @throws RequestError `Unavailable` when this process does not lead. */
  readonly leading: () => Leading
  readonly tickets: LogTickets
}

/** The verbs of the control plane, answered from the leader's memory or done in its next turn. */
export function createRequests(deps: RequestDeps): ControlPlane {
  return { ...reads(deps), ...verbs(deps) }
}

type Reads = Pick<
  ControlPlane,
  | 'version'
  | 'ready'
  | 'health'
  | 'backup'
  | 'apps'
  | 'app'
  | 'workloads'
  | 'tasks'
  | 'task'
  | 'runs'
  | 'oneRun'
  | 'rollouts'
  | 'agents'
  | 'history'
  | 'events'
  | 'why'
  | 'changes'
>

function reads(deps: RequestDeps): Reads {
  const term = () => deps.leading().term
  return {
    version: () => ({ version: deps.version, cluster: deps.identity.id, epoch: term().epoch, app: deps.app.name }),
    ready: () => assertWritable(term()),
    health: () => inTerm(deps, async ({ term }) => healthOf(term, await deps.storeStatus(), deps.version)),
    backup: () => inTerm(deps, async ({ term }) => backupLines(deps.store, { version: deps.version, now: term.now() })),
    apps: () => [...term().cluster.apps.values()].map((app) => appView(app, term())),
    app: (name) => appView(appNamed(name, deps.leading()), term()),
    workloads: () => [...term().cluster.workloads.values()].map((record) => workloadView(record, term())),
    tasks: ({ run } = {}) => tasksNow(term(), run).map((state) => taskView(state, term())),
    task: (id) => taskView(taskNamed(id, term()), term()),
    runs: () =>
      [...term().cluster.runs.values()]
        .filter(({ buriedAt }) => buriedAt === null)
        .toSorted((a, b) => b.createdAt - a.createdAt)
        .map((run) => runView(run, term())),
    oneRun: (id) => runView(runNamed(id, term()), term()),
    rollouts: () => [...term().cluster.rollouts.values()].toSorted(newestRollout).map((rollout) => rolloutView(rollout, term())),
    agents: () => [...term().cluster.agents.values()].map((agent) => agentView(agent, term())),
    history: (name) =>
      term()
        .cluster.revisionsOfApp(appNamed(name, deps.leading()).name)
        .map((record) => historyView(record, term())),
    events: ({ object, app }) =>
      [...term().cluster.events.values()]
        .filter(
          (event) =>
            (object === undefined || event.object.toLowerCase() === object.toLowerCase()) && (app === undefined || event.app === app),
        )
        .map(eventView),
    why: (object, namespace) => whyObject(object, namespace, { term: term(), now: deps.clock.now() }),
    changes: (signal) => changesOf(term(), AbortSignal.any([signal, deps.leading().signal])),
  }
}

const tasksNow = ({ cluster }: Term, run: string | undefined): TaskState[] =>
  run === undefined ? [...cluster.tasks.keys()].map((id) => cluster.taskState(id)) : cluster.tasksOfRun(run as RunId)

function taskNamed(id: string, { cluster }: Term): TaskState {
  if (!cluster.tasks.has(id as TaskId)) throw new RequestError('NotFound', `there is no task "${id}"`)
  return cluster.taskState(id as TaskId)
}

/** Also one that is told in full no more, and so is in no list: who waits for it still hears how it ended. */
function runNamed(id: string, { cluster }: Term): Run {
  const run = cluster.runs.get(id as RunId)
  if (run === undefined) throw new RequestError('NotFound', `there is no run "${id}"`)
  return run
}

const newestRollout = (a: Rollout, b: Rollout): number => b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1)

type Verbs = Pick<
  ControlPlane,
  'render' | 'plan' | 'sync' | 'rollback' | 'promote' | 'abort' | 'run' | 'rerun' | 'maintain' | 'forget' | 'admit' | 'logs'
>

function verbs(deps: RequestDeps): Verbs {
  return {
    render: (name, request) => inTerm(deps, (leading) => refuseByGit(renderApp(rendering(name, request, { ...deps, leading })))),
    plan: (name, request) =>
      inTerm(deps, (leading) => refuseByGit(planApp(rendering(name, request, { ...deps, leading }), leading.term, deps.clock.now()))),
    sync: (name, request) =>
      writing(deps, async (leading) => {
        const app = appNamed(name, leading)
        assertOnePurpose(request)
        await refuseByGit(sourceOf(name, leading).sync(request))
        return appView(appNamed(app.name, leading), leading.term)
      }),
    rollback: (name, request) => writing(deps, (leading) => rollback(name, request, { ...deps, leading })),
    promote: (ref, actor) => writing(deps, (leading) => speak(ref, leading, (turn) => promote(ref, actor, turn))),
    abort: (ref, actor) => writing(deps, (leading) => speak(ref, leading, (turn) => abort(ref, actor, turn))),
    run: (ref, actor) => writing(deps, (leading) => startRun(leading, ref, actor)),
    rerun: (id, actor) => writing(deps, (leading) => repeatRun(leading, id, actor)),
    maintain: (agent, request) =>
      writing(deps, async (leading) => {
        await inTurn(leading, (turn) => maintain(agent, request, turn))
        return agentView(must(leading.term.cluster.agents.get(agent as AgentId), `agent ${agent}`), leading.term)
      }),
    forget: (agent, request) => inTerm(deps, (leading) => answered(leading, (turn) => forget(agent, request, turn))),
    admit: (agent, actor) => inTerm(deps, (leading) => answered(leading, (turn) => admit(agent, actor, turn))),
    logs: async (task, options, signal) =>
      openLogs({ task, options, term: deps.leading().term, tickets: deps.tickets, newId: deps.newId }, signal),
  }
}

/** What was planned is applied as it was planned, and nothing beside it. */
function assertOnePurpose({ plan, allowDelete, retry }: SyncRequest): void {
  if (plan !== null && (allowDelete === 'Any' || retry === 'Quarantined'))
    throw new RequestError('Invalid', 'a plan is applied as it is: it goes with neither --allow-delete nor --retry')
}

/** Does it in a turn, and answers with what that returned once it is durable. */
async function answered<T>(leading: Leading, work: (turn: TurnContext) => T): Promise<T> {
  const results: T[] = []
  await inTurn(leading, (turn) => results.push(work(turn)))
  return must(results[0], 'a turn that was committed did its work')
}

/** Says a word to a rollout, and answers with what it made of it. */
async function speak({ namespace, kind, name }: WorkloadRef, leading: Leading, word: (turn: TurnContext) => void): Promise<WorkloadView> {
  await inTurn(leading, word)
  const record = leading.term.cluster.workloads.get(workloadKey(namespace, kind, name))
  return workloadView(must(record, 'the workload was there'), leading.term)
}

type LedBy = Omit<RequestDeps, 'leading'> & { readonly leading: Leading }

/** A leader that cannot write says so at once, rather than let people wait for space in the store. */
function writing<T>(deps: RequestDeps, work: (leading: Leading) => Promise<T>): Promise<T> {
  return inTerm(deps, (leading) => {
    assertWritable(leading.term)
    return work(leading)
  })
}

/** @throws RequestError `Unavailable`. */
function assertWritable({ readOnly }: Term): void {
  if (readOnly !== null) throw new RequestError('Unavailable', `read-only since ${iso(readOnly.since)}: ${readOnly.reason}`)
}

/** @throws RequestError `Unavailable` when the term ends before the answer, or the store is away: ask the next leader. */
export async function inTerm<T>(deps: Pick<RequestDeps, 'leading'>, work: (leading: Leading) => Promise<T>): Promise<T> {
  const leading = deps.leading()
  try {
    return await work(leading)
  } catch (error) {
    if (error instanceof RequestError) throw error
    if (error instanceof DemotedError || leading.signal.aborted)
      throw new RequestError('Unavailable', 'this control plane stopped leading before it could answer; ask again to see what was done')
    if (error instanceof RetryableError) throw new RequestError('Unavailable', error.message)
    throw error
  }
}

function rendering(name: string, request: PlanRequest, { leading, ...deps }: LedBy) {
  return { app: appNamed(name, leading), source: sourceOf(name, leading), request, renderer: deps.renderer, signal: leading.signal }
}

/** The bodies come from the store, so a rollback works with git away. */
async function rollback(name: string, request: RollbackRequest, { leading, ...deps }: LedBy) {
  const { term } = leading
  const app = appNamed(name, leading)
  const target = findRevision(term.cluster.revisionsOfApp(name), request.to)
  const body = await readBlob(deps.store, must(target.rendered, 'a revision that ran is kept'))
  if (body === null) throw new RequestError('NotFound', `the store no longer holds what revision ${target.id} ran`)
  const rendered = Rendered.parse(JSON.parse(body))
  const digests = Object.values(rendered.workloads)
  const versions = new Map(
    await Promise.all(
      digests.map(async (digest) => [digest, term.cluster.versions.get(digest) ?? (await readVersion(deps.store, digest))] as const),
    ),
  )
  await inTurn(leading, (turn) => rollBack({ app: name, target, rendered, versions, actor: request.actor }, turn))
  const revertCommit =
    request.revert === 'CommitToGit'
      ? await revertInGit({ app, target, versions, source: sourceOf(name, leading), actor: request.actor, signal: leading.signal })
      : null
  return { app: appView(appNamed(name, leading), term), to: historyView(target, term), revertCommit }
}

function appNamed(name: string, { term }: Leading) {
  const app = term.cluster.apps.get(name)
  if (app === undefined)
    throw new RequestError(
      'NotFound',
      `no app ${name}; there ${term.cluster.apps.size === 1 ? 'is' : 'are'} ${[...term.cluster.apps.keys()].join(', ') || 'none'}`,
    )
  return app
}

function sourceOf(name: string, { sources }: Leading): Source {
  const source = sources.get(name)
  if (source === undefined) throw new RequestError('Unavailable', `app ${name} is not followed yet; try again in a moment`)
  return source
}
