import type { WorkloadManifest } from '../model/manifest.ts'
import { PROBE_FIELDS, type Probe } from '../model/probe.ts'
import type { ContainerSpec, ProcessSpec } from '../model/template.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { quote } from './problem.ts'
import { broken, templateOf } from './rule.ts'
import { didYouMean } from './suggest.ts'

type Unit = ContainerSpec | ProcessSpec
type UnitAt = { unit: Unit; at: Path; noun: 'container' | 'process' }
type ProbeField = (typeof PROBE_FIELDS)[number]

function unitsOf(manifest: WorkloadManifest): UnitAt[] {
  const { spec, at } = templateOf(manifest)
  const { containers = [], processes = [] } = spec
  return [
    ...containers.map((unit, index): UnitAt => ({ unit, at: [...at, 'containers', index], noun: 'container' })),
    ...processes.map((unit, index): UnitAt => ({ unit, at: [...at, 'processes', index], noun: 'process' })),
  ]
}

function portHint(name: string, names: readonly string[]): string {
  if (names.length === 0) return 'declare it in ports, or give the number'
  return didYouMean(name, names) ?? `ports here: ${names.join(', ')}`
}

/** A number is asked as it is; a name must be one that the task itself was given a port for. */
function namedPort(probe: Probe, at: Path, { unit, noun }: UnitAt): Located[] {
  return (['httpGet', 'tcpSocket'] as const).flatMap((check) => {
    const name = probe[check]?.port
    if (typeof name !== 'string') return []
    const path = [...at, check, 'port']
    const port = unit.ports.find((one) => one.name === name)
    if (port?.protocol === 'UDP') return [broken(path, `names a UDP port: ${quote(name)}`, 'a probe connects over TCP')]
    const names = unit.ports.flatMap((one) => (one.protocol === 'TCP' ? [one.name] : []))
    return port === undefined ? [broken(path, `names no port of this ${noun}: ${quote(name)}`, portHint(name, names))] : []
  })
}

/** One pass is enough where a pass only means that nothing need be done. */
function successThreshold(field: ProbeField, probe: Probe, at: Path): Located[] {
  if (field === 'readinessProbe' || probe.successThreshold === 1) return []
  return [broken([...at, 'successThreshold'], `must be 1 for a ${field}`, 'remove it')]
}

const probesOf = ({ unit, at }: UnitAt): { field: ProbeField; probe: Probe; path: Path }[] =>
  PROBE_FIELDS.flatMap((field) => {
    const probe = unit[field]
    return probe === undefined ? [] : [{ field, probe, path: [...at, field] }]
  })

export const probes = (manifest: WorkloadManifest): Located[] =>
  unitsOf(manifest).flatMap((owner) =>
    probesOf(owner).flatMap(({ field, probe, path }) => [...namedPort(probe, path, owner), ...successThreshold(field, probe, path)]),
  )

/** Nobody is sent to a Job's task, so nobody would look at what the probe says. */
export function readinessInJob(manifest: WorkloadManifest): Located[] {
  if (manifest.kind === 'Deployment') return []
  const found = unitsOf(manifest).flatMap(probesOf)
  return found
    .filter(({ field }) => field === 'readinessProbe')
    .map(({ path }) =>
      broken(path, "has no meaning in a Job: a Job's task is never served", 'remove it; livenessProbe restarts a task that hangs'),
    )
}
