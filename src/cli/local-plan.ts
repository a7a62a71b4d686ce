import { diffWorkloads } from '../core/plan-changes.ts'
import { planView } from '../core/plan-view.ts'
import type { DesiredWorkload } from '../manifest/link.ts'
import type { WorkloadVersion } from '../model/version.ts'
import type { PlanView } from '../model/views.ts'
import { linked } from './commands/validate.ts'
import type { Source } from './files.ts'

/** Everything compared with nothing running: each workload is new. */
export function localPlan(app: string, source: Source): PlanView {
  const { desired, problems } = linked(source)
  const versions = new Map(desired.workloads.map((workload) => [workload.key, versionOf(workload)]))
  const to = source.revision ?? 'local'
  // Only a server knows what runs, so there is no world that could move: such a plan cannot be synced.
  return planView(diffWorkloads(new Map(), versions), { app, from: null, to, problems, fingerprint: '', removals: 'AtOnce' })
}

/** Trees stay out: what is new shows no content, and only a repository knows their ids. */
function versionOf({ manifest, configs }: DesiredWorkload): WorkloadVersion {
  const { namespace, name } = manifest.metadata
  const rest = { namespace, name, configs, trees: {} }
  return manifest.kind === 'Job' ? { kind: 'Job', spec: manifest.spec, ...rest } : { kind: 'Deployment', spec: manifest.spec, ...rest }
}
