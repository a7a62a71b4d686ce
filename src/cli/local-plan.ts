import { diffWorkloads } from '../core/plan-changes.ts'
import { planView } from '../core/plan-view.ts'
import { versionOf } from '../manifest/version.ts'
import type { PlanView } from '../model/views.ts'
import { linked } from './commands/validate.ts'
import type { Source } from './files.ts'

/** Everything compared with nothing running: each workload is new. */
export function localPlan(app: string, source: Source): PlanView {
  const { desired, problems } = linked(source)
  // Trees stay out: what is new shows no content, and only a repository knows their ids.
  const versions = new Map(
    desired.workloads.map((workload) => [workload.key, versionOf(workload.manifest, { configs: workload.configs, trees: {} })]),
  )
  const to = source.revision ?? 'local'
  // Only a server knows what runs, so there is no world that could move: such a plan cannot be synced.
  return planView(diffWorkloads(new Map(), versions), { app, from: null, to, problems, fingerprint: '', removals: 'AtOnce' })
}
