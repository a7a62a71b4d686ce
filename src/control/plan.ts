import type { AppRecord } from '../model/records.ts'
import type { PlanView } from '../model/views.ts'
import type { PlanRequest } from './control-plane.ts'
import type { RenderedApp, Renderer } from './render.ts'
import { revisionName, type Source } from './source.ts'
import type { Term } from './turn.ts'

export interface Rendering {
  readonly app: AppRecord
  readonly source: Source
  readonly request: PlanRequest
  readonly renderer: Renderer
  readonly signal: AbortSignal
}

/** The app as a revision, or files given instead, would have it. */
async function renderRequest({ app, source, request, renderer, signal }: Rendering): Promise<{ revision: string; rendered: RenderedApp }> {
  if (request.files !== null) return { revision: 'files', rendered: await renderer.renderFiles(request.files) }
  const repo = await source.repository()
  const ref = request.ref ?? app.source.ref
  const commit = await repo.resolve(ref, signal)
  const rendered = await renderer.render(repo, { commit: commit.oid, path: app.source.path }, signal)
  return { revision: revisionName(ref, commit.oid), rendered }
}

export async function renderApp(rendering: Rendering): Promise<{ revision: string; objects: unknown[] }> {
  const { revision, rendered } = await renderRequest(rendering)
  return { revision, objects: rendered.workloads.map((workload) => workload.version) }
}

export async function planApp(_rendering: Rendering, _term: Term): Promise<PlanView> {
  throw new Error('pending')
}
