import { diffWorkloads, type WorkloadChange } from '../core/plan-changes.ts'
import { countPlan, renderPlan } from '../core/plan-text.ts'
import type { DesiredWorkload } from '../manifest/link.ts'
import { parseWorkloadKey } from '../model/ids.ts'
import type { WorkloadVersion } from '../model/version.ts'
import type { PlanView } from '../model/views.ts'
import { linked } from './commands/validate.ts'
import type { Source } from './files.ts'

/** Everything compared with nothing running: each workload is new. */
export function localPlan(app: string, source: Source): PlanView {
  const { desired, problems } = linked(source)
  const versions = new Map(desired.workloads.map((workload) => [workload.key, versionOf(workload)]))
  const changes = diffWorkloads(new Map(), versions)
  const to = source.revision ?? 'local'
  return {
    app,
    from: null,
    to,
    changes: changes.flatMap(changeView),
    counts: countPlan(changes),
    problems,
    holds: [],
    // Only a server knows what runs, so there is no world that could move: such a plan cannot be synced.
    order: [],
    fingerprint: '',
    text: renderPlan(changes, { app, from: null, to }),
  }
}

/** Trees stay out: what is new shows no content, and only a repository knows their ids. */
function versionOf({ manifest, configs }: DesiredWorkload): WorkloadVersion {
  const { namespace, name } = manifest.metadata
  const rest = { namespace, name, configs, trees: {} }
  return manifest.kind === 'Job' ? { kind: 'Job', spec: manifest.spec, ...rest } : { kind: 'Deployment', spec: manifest.spec, ...rest }
}

function changeView({ key, action, fields, notes }: WorkloadChange): PlanView['changes'] {
  if (action === 'none') return []
  const shown = fields.map(({ path, before, after, forcesRestart }) => ({ path, before, after, forcesRestart }))
  return [{ action, ...parseWorkloadKey(key), fields: shown, notes: [...notes] }]
}
