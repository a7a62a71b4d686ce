import type { WorkloadManifest } from '../model/manifest.ts'
import { PROBE_FIELDS } from '../model/probe.ts'
import type { ProcessSpec } from '../model/template.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { quote } from './problem.ts'
import { broken, templateOf } from './rule.ts'

/** What a process says of its sandbox, and what it cannot have beside that. */
export function sandboxes(manifest: WorkloadManifest): Located[] {
  const template = templateOf(manifest)
  return (template.spec.processes ?? []).flatMap((unit, index) => {
    const at: Path = [...template.at, 'processes', index]
    return [...withoutSandbox(unit, at), ...hostPathsTwice(unit, at), ...withoutNetwork(unit, at)]
  })
}

function withoutSandbox({ isolation, sandbox }: ProcessSpec, at: Path): Located[] {
  if (sandbox === undefined || isolation === 'sandbox') return []
  return [broken([...at, 'sandbox'], 'has no meaning without isolation: sandbox', 'add `isolation: sandbox`, or remove it')]
}

function hostPathsTwice({ sandbox }: ProcessSpec, at: Path): Located[] {
  const seen = new Set<string>()
  return (sandbox?.hostPaths ?? []).flatMap(({ path }, index) => {
    const isNew = !seen.has(path)
    seen.add(path)
    return isNew ? [] : [broken([...at, 'sandbox', 'hostPaths', index, 'path'], `is given twice: ${quote(path)}`)]
  })
}

/** The agent asks over the machine's network, which such a task is not on. */
function withoutNetwork(unit: ProcessSpec, at: Path): Located[] {
  if (unit.sandbox?.network !== 'None') return []
  const ports = unit.ports.map((_, index) =>
    broken([...at, 'ports', index], 'has no meaning with network: None', 'remove it, or use network: Host'),
  )
  const probes = PROBE_FIELDS.flatMap((field) =>
    (['httpGet', 'tcpSocket'] as const).flatMap((check) => {
      const asked = unit[field]?.[check]
      if (asked === undefined || asked.host !== undefined) return []
      return [broken([...at, field, check], 'has no meaning with network: None', 'use exec, or network: Host')]
    }),
  )
  return [...ports, ...probes]
}
