import { diffWorkloads } from '../../core/plan-changes.ts'
import type { PlanContext } from '../../core/plan-text.ts'
import { planView } from '../../core/plan-view.ts'
import { fits } from '../../core/schedule/reasons.ts'
import { requirementsOf } from '../../core/schedule/requirements.ts'
import { planSync } from '../../core/sync.ts'
import { manifestObject } from '../../manifest/to-yaml.ts'
import { bodyOf } from '../../model/body.ts'
import type { Millis, WorkloadKey } from '../../model/ids.ts'
import type { AppRecord } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import type { PlanView } from '../../model/views.ts'
import { agentViews, isSchedulable } from '../leader/place.ts'
import type { Term } from '../leader/term.ts'
import { policyOf, syncInput } from '../source/apply.ts'
import { fingerprintOf } from '../source/fingerprint.ts'
import type { RenderedApp, Renderer } from '../source/render.ts'
import { revisionName, type Source } from '../source/source.ts'
import type { PlanRequest } from './control-plane.ts'

export interface Rendering {
  readonly app: AppRecord
  readonly source: Source
  readonly request: PlanRequest
  readonly renderer: Renderer
  readonly signal: AbortSignal
}

/** The app as a revision, or files given instead, would have it. Files ship the folders of the app's own ref. */
async function renderRequest({ app, source, request, renderer, signal }: Rendering): Promise<{ revision: string; rendered: RenderedApp }> {
  const repo = await source.repository()
  const ref = request.ref ?? app.source.ref
  const commit = await repo.resolve(ref, signal)
  if (request.files !== null) {
    const rendered = await renderer.renderFiles(request.files, (folder) => repo.treeAt(commit.oid, folder))
    return { revision: 'files', rendered }
  }
  const rendered = await renderer.render(repo, { commit: commit.oid, path: app.source.path }, signal)
  return { revision: revisionName(ref, commit.oid), rendered }
}

export async function renderApp(rendering: Rendering): Promise<{ revision: string; objects: unknown[] }> {
  const { revision, rendered } = await renderRequest(rendering)
  return { revision, objects: rendered.workloads.map((workload) => manifestObject(workload.manifest)) }
}

/** What a sync of that revision would do now, decided by the very rules that a sync obeys. */
export async function planApp(rendering: Rendering, term: Term, now: Millis): Promise<PlanView> {
  const { revision, rendered } = await renderRequest(rendering)
  const app = { ...rendering.app, policy: policyOf(rendered, rendering.app) }
  const candidate = { app: app.name, revision, rendered, allowDelete: 'WithinBudget', retry: 'No' } as const
  const input = syncInput(candidate, app, { cluster: term.cluster, now })
  const plan = planSync(input)
  const live = liveVersions(app.name, term)
  const changes = diffWorkloads(live, outcome(live, rendered, plan), new Set(plan.apply.map(({ key }) => key)))
  return planView(changes, {
    app: app.name,
    from: app.lastAppliedRevision,
    to: revision,
    room: roomOf(rendered, term),
    holds: plan.holds,
    removals: app.policy.atomic ? 'Last' : 'AtOnce',
    problems: rendered.problems,
    fingerprint: fingerprintOf(input, plan),
  })
}

function liveVersions(app: string, { cluster }: Term): Map<WorkloadKey, WorkloadVersion> {
  const wanted = cluster.workloadsOfApp(app).filter((record) => record.wanted)
  return new Map(wanted.map((record) => [record.key, cluster.version(record.inputsDigest)]))
}

/** What would run afterwards: held changes and removals leave things as they are. */
function outcome(
  live: ReadonlyMap<WorkloadKey, WorkloadVersion>,
  rendered: RenderedApp,
  plan: ReturnType<typeof planSync>,
): Map<WorkloadKey, WorkloadVersion> {
  const applied = new Set(plan.apply)
  const after = new Map(live)
  for (const { wanted, version } of rendered.workloads) if (applied.has(wanted)) after.set(wanted.key, version)
  for (const key of plan.remove) after.delete(key)
  return after
}

function roomOf(rendered: RenderedApp, { cluster, hub }: Term): NonNullable<PlanContext['room']> {
  const agents = agentViews(cluster, (agent) => isSchedulable(agent, { cluster, hub }))
  return new Map(
    rendered.workloads.map(({ wanted, version }) => {
      const requirements = requirementsOf(bodyOf(version).template.spec)
      return [wanted.key, { withRoom: agents.filter((agent) => fits(requirements, agent) === null).length, agents: agents.length }]
    }),
  )
}
