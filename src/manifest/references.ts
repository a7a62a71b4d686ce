import { bodyOf } from '../model/body.ts'
import type { WorkloadKind } from '../model/ids.ts'
import type { Manifest, WorkloadManifest } from '../model/manifest.ts'
import type { ContainerSpec, EnvVar, ProcessSpec, Volume } from '../model/template.ts'
import { isWorkload } from './identity.ts'
import type { Path } from './positions.ts'
import type { Place } from './problem.ts'
import { templateOf } from './rule.ts'

/** What a workload needs of other objects in its namespace, and where it says so. */
export type Reference =
  | { type: 'workload'; by: 'dependsOn' | 'after'; kind: WorkloadKind; name: string; at: Place }
  | { type: 'data'; kind: DataKind; name: string; use: DataUse; at: Place }
/** The kinds that hold data for tasks. */
export type DataKind = 'ConfigMap' | 'Secret'
/** `key`: one key. `env`: every key as a variable. `files`: every key as a file. */
type DataUse = { as: 'key'; key: string; at: Place } | { as: 'env'; prefix: string } | { as: 'files' }

type Locate = (path: Path) => Place
type Unit = Pick<ContainerSpec | ProcessSpec, 'env' | 'envFrom'>

function unitReferences(unit: Unit, path: Path, locate: Locate): Reference[] {
  const single = unit.env.flatMap(({ name, valueFrom }): Reference[] => {
    const source = valueFrom && keySource(valueFrom)
    if (source === undefined) return []
    const at = [...path, 'env', name, 'valueFrom', source.field]
    const use: DataUse = { as: 'key', key: source.key, at: locate([...at, 'key']) }
    return [{ type: 'data', kind: source.kind, name: source.name, use, at: locate([...at, 'name']) }]
  })
  const whole = unit.envFrom.flatMap(({ configMapRef, secretRef, prefix = '' }, index): Reference[] => {
    const at = [...path, 'envFrom', index]
    const use: DataUse = { as: 'env', prefix }
    const given = { type: 'data', use } as const
    if (configMapRef !== undefined) return [{ ...given, kind: 'ConfigMap', ...configMapRef, at: locate([...at, 'configMapRef', 'name']) }]
    return secretRef === undefined ? [] : [{ ...given, kind: 'Secret', ...secretRef, at: locate([...at, 'secretRef', 'name']) }]
  })
  return [...single, ...whole]
}

function keySource({ configMapKeyRef, secretKeyRef }: NonNullable<EnvVar['valueFrom']>) {
  if (configMapKeyRef !== undefined) return { kind: 'ConfigMap', field: 'configMapKeyRef', ...configMapKeyRef } as const
  return secretKeyRef === undefined ? undefined : ({ kind: 'Secret', field: 'secretKeyRef', ...secretKeyRef } as const)
}

/** The object whose data a volume shows as files. */
function volumeSource({ configMap, secret }: Volume) {
  if (configMap !== undefined) return { kind: 'ConfigMap', name: configMap.name, field: ['configMap', 'name'] } as const
  return secret === undefined ? undefined : ({ kind: 'Secret', name: secret.secretName, field: ['secret', 'secretName'] } as const)
}

function volumeReferences(volume: Volume, path: Path, locate: Locate): Reference[] {
  const source = volumeSource(volume)
  if (source === undefined) return []
  return [{ type: 'data', kind: source.kind, name: source.name, use: { as: 'files' }, at: locate([...path, ...source.field]) }]
}

function mountReferences(unit: ContainerSpec, volumes: readonly Volume[], at: { path: Path; locate: Locate }): Reference[] {
  const sources = new Map(volumes.map((volume) => [volume.name, volumeSource(volume)]))
  return unit.volumeMounts.flatMap(({ name, subPath }, index): Reference[] => {
    const source = sources.get(name)
    if (source === undefined || subPath === undefined) return []
    const place = at.locate([...at.path, 'volumeMounts', index, 'subPath'])
    return [{ type: 'data', kind: source.kind, name: source.name, use: { as: 'key', key: subPath, at: place }, at: place }]
  })
}

/** Every reference of a workload; `locate` finds the place of a value in the document it was read from. */
export function referencesOf(manifest: Manifest, locate: Locate): Reference[] {
  if (!isWorkload(manifest)) return []
  const { spec, at: template } = templateOf(manifest)
  const { containers = [], processes = [], volumes } = spec
  const needs = manifest.spec.dependsOn.map(
    ({ kind, name }, index): Reference => ({
      type: 'workload',
      by: 'dependsOn',
      kind,
      name,
      at: locate(['spec', 'dependsOn', index, 'name']),
    }),
  )
  return [
    ...needs,
    ...parents(manifest, locate),
    ...containers.flatMap((unit, index) => {
      const path = [...template, 'containers', index]
      return [...unitReferences(unit, path, locate), ...mountReferences(unit, volumes, { path, locate })]
    }),
    ...processes.flatMap((unit, index) => unitReferences(unit, [...template, 'processes', index], locate)),
    ...volumes.flatMap((volume, index) => volumeReferences(volume, [...template, 'volumes', index], locate)),
  ]
}

function parents({ kind, spec }: WorkloadManifest, locate: Locate): Reference[] {
  if (kind !== 'CronJob') return []
  return (spec.after ?? []).map((name, index) => ({
    type: 'workload',
    by: 'after',
    kind: 'CronJob',
    name,
    at: locate(['spec', 'after', index]),
  }))
}

/** Git folders a workload ships, from the repository's root; sorted, each once. */
export function treesOf(manifest: WorkloadManifest): string[] {
  const { containers = [], processes = [] } = bodyOf(manifest).template.spec
  return [...new Set([...containers, ...processes].flatMap((unit) => unit.artifacts.flatMap(({ git }) => git ?? [])))].sort()
}
