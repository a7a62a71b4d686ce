import type { DesiredWorkload } from '../manifest/link.ts'
import type { PlanView } from '../model/views.ts'
import { linked } from './commands/validate.ts'
import type { Source } from './files.ts'

/** Everything compared with nothing running: each workload is new. */
export function localPlan(app: string, source: Source): PlanView {
  const { desired, problems } = linked(source)
  const changes = desired.workloads.map(created)
  const lines = changes.map(({ kind, namespace, name }) => `+ ${kind.toLowerCase()}/${name} (${namespace})`)
  return {
    app,
    from: null,
    to: source.revision ?? 'local',
    changes,
    counts: { add: changes.length, change: 0, replace: 0, destroy: 0 },
    problems,
    holds: [],
    text: `${[...lines, ...(lines.length > 0 ? [''] : [])].join('\n')}Plan: ${changes.length} to add, 0 to change, 0 to replace, 0 to destroy.\n`,
  }
}

function created({ manifest }: DesiredWorkload): PlanView['changes'][number] {
  const { kind, metadata } = manifest
  return { action: 'create', namespace: metadata.namespace, kind, name: metadata.name, fields: [], notes: [] }
}
