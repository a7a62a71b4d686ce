import { must } from '../lib/must.ts'
import { Rendered } from '../model/records.ts'
import { readBlob } from '../store/blobs.ts'
import { changesOf } from './changes.ts'
import type { ControlDeps, Leading } from './control.ts'
import type { ControlPlane, PlanRequest, RollbackRequest } from './control-plane.ts'
import { RequestError } from './control-plane.ts'
import { refuseByGit } from './git-refusal.ts'
import type { ClusterIdentity } from './load.ts'
import { readVersion } from './load.ts'
import type { LogTickets } from './log-tickets.ts'
import { planApp, renderApp } from './plan.ts'
import { revertInGit } from './revert.ts'
import { findRevision, rollBack } from './rollback.ts'
import { inTurn, type Source } from './source.ts'
import { openLogs } from './task-logs.ts'
import { agentView, appView, eventView, historyView, runView, taskView, workloadView } from './views.ts'
import { whyApp, whyRun, whyTask, whyWorkload, workloadNamed } from './why.ts'

export interface RequestDeps extends ControlDeps {
  readonly identity: ClusterIdentity
  readonly leading: () => Leading
  readonly tickets: LogTickets
}

/** The verbs of the control plane, answered from the leader's memory or done in its next turn. */
export function createRequests(deps: RequestDeps): ControlPlane {
  return { ...reads(deps), ...verbs(deps) }
}

type Reads = Pick<
  ControlPlane,
  'version' | 'apps' | 'app' | 'workloads' | 'tasks' | 'runs' | 'agents' | 'history' | 'events' | 'why' | 'changes'
>

function reads(deps: RequestDeps): Reads {
  const term = () => deps.leading().term
  return {
    version: () => ({ version: deps.version, cluster: deps.identity.id, epoch: term().epoch, app: deps.app.name }),
    apps: () => [...term().cluster.apps.values()].map((app) => appView(app, term())),
    app: (name) => appView(appNamed(name, deps.leading()), term()),
    workloads: () => [...term().cluster.workloads.values()].map((record) => workloadView(record, term())),
    tasks: () => [...term().cluster.tasks.keys()].map((id) => taskView(term().cluster.taskState(id), term())),
    runs: () => [...term().cluster.runs.values()].toSorted((a, b) => b.createdAt - a.createdAt).map(runView),
    agents: () => [...term().cluster.agents.values()].map((agent) => agentView(agent, term())),
    history: (name) => term().cluster.revisionsOfApp(appNamed(name, deps.leading()).name).map(historyView),
    events: ({ object, app }) =>
      [...term().cluster.events.values()]
        .filter(
          (event) =>
            (object === undefined || event.object.toLowerCase() === object.toLowerCase()) && (app === undefined || event.app === app),
        )
        .map(eventView),
    why: (object, namespace) => why(object, namespace, deps),
    changes: (signal) => changesOf(term(), AbortSignal.any([signal, deps.leading().signal])),
  }
}

function why(object: string, namespace: string, deps: RequestDeps) {
  const { term } = deps.leading()
  const [kind = '', name = ''] = object.split('/')
  if (kind === 'app') return whyApp(name, term)
  if (kind === 'task') return whyTask(name, term, deps.clock.now())
  if (kind === 'run') return whyRun(name, term, deps.clock.now())
  return whyWorkload(workloadNamed(kind, name, { namespace, term }), term, deps.clock.now())
}

type Verbs = Pick<ControlPlane, 'render' | 'plan' | 'sync' | 'rollback' | 'logs'>

function verbs(deps: RequestDeps): Verbs {
  return {
    render: async (name, request) => refuseByGit(renderApp(await rendering(name, request, deps))),
    plan: async (name, request) => refuseByGit(planApp(await rendering(name, request, deps), deps.leading().term, deps.clock.now())),
    async sync(name, request) {
      const leading = deps.leading()
      const app = appNamed(name, leading)
      await refuseByGit(sourceOf(name, leading).sync(request))
      return appView(appNamed(app.name, leading), leading.term)
    },
    rollback: (name, request) => rollback(name, request, deps),
    logs: async (task, options, signal) =>
      openLogs({ task, options, term: deps.leading().term, tickets: deps.tickets, newId: deps.newId }, signal),
  }
}

async function rendering(name: string, request: PlanRequest, deps: RequestDeps) {
  const leading = deps.leading()
  return { app: appNamed(name, leading), source: sourceOf(name, leading), request, renderer: deps.renderer, signal: leading.signal }
}

/** The bodies come from the store, so a rollback works with git away. */
async function rollback(name: string, request: RollbackRequest, deps: RequestDeps) {
  const leading = deps.leading()
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
  return { app: appView(appNamed(name, leading), term), to: historyView(target), revertCommit }
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
