import type { Manifest, WorkloadManifest } from '../model/manifest.ts'
import type { ContainerSpec, ProcessSpec, Volume } from '../model/template.ts'
import type { Path } from './positions.ts'
import type { Place } from './problem.ts'

/** What a workload needs of other objects in its namespace, and where it says so. */
export type Reference =
  | { type: 'workload'; kind: 'Deployment' | 'Job'; name: string; at: Place }
  | { type: 'configMap'; name: string; use: ConfigUse; at: Place }
/** `key`: one key. `env`: every key as a variable. `files`: every key as a file. */
type ConfigUse = { as: 'key'; key: string; at: Place } | { as: 'env'; prefix: string } | { as: 'files' }

type Locate = (path: Path) => Place
type Unit = Pick<ContainerSpec | ProcessSpec, 'env' | 'envFrom'>

function unitReferences(unit: Unit, path: Path, locate: Locate): Reference[] {
  const single = unit.env.flatMap(({ name, valueFrom }): Reference[] => {
    if (valueFrom === undefined) return []
    const { name: configMap, key } = valueFrom.configMapKeyRef
    const at = [...path, 'env', name, 'valueFrom', 'configMapKeyRef']
    const use: ConfigUse = { as: 'key', key, at: locate([...at, 'key']) }
    return [{ type: 'configMap', name: configMap, use, at: locate([...at, 'name']) }]
  })
  const whole = unit.envFrom.map(
    ({ configMapRef, prefix = '' }, index): Reference => ({
      type: 'configMap',
      name: configMapRef.name,
      use: { as: 'env', prefix },
      at: locate([...path, 'envFrom', index, 'configMapRef', 'name']),
    }),
  )
  return [...single, ...whole]
}

function volumeReferences(volume: Volume, path: Path, locate: Locate): Reference[] {
  if (volume.configMap === undefined) return []
  return [{ type: 'configMap', name: volume.configMap.name, use: { as: 'files' }, at: locate([...path, 'configMap', 'name']) }]
}

function mountReferences(unit: ContainerSpec, volumes: readonly Volume[], at: { path: Path; locate: Locate }): Reference[] {
  const configMaps = new Map(volumes.flatMap(({ name, configMap }) => (configMap === undefined ? [] : [[name, configMap.name] as const])))
  return unit.volumeMounts.flatMap(({ name, subPath }, index): Reference[] => {
    const configMap = configMaps.get(name)
    if (configMap === undefined || subPath === undefined) return []
    const place = at.locate([...at.path, 'volumeMounts', index, 'subPath'])
    return [{ type: 'configMap', name: configMap, use: { as: 'key', key: subPath, at: place }, at: place }]
  })
}

/** Every reference of a workload; `locate` finds the place of a value in the document it was read from. */
export function referencesOf(manifest: Manifest, locate: Locate): Reference[] {
  if (manifest.kind !== 'Deployment' && manifest.kind !== 'Job') return []
  const { spec } = manifest
  const template: Path = ['spec', 'template', 'spec']
  const { containers = [], processes = [], volumes } = spec.template.spec
  const needs = spec.dependsOn.map(
    ({ kind, name }, index): Reference => ({ type: 'workload', kind, name, at: locate(['spec', 'dependsOn', index, 'name']) }),
  )
  return [
    ...needs,
    ...containers.flatMap((unit, index) => {
      const path = [...template, 'containers', index]
      return [...unitReferences(unit, path, locate), ...mountReferences(unit, volumes, { path, locate })]
    }),
    ...processes.flatMap((unit, index) => unitReferences(unit, [...template, 'processes', index], locate)),
    ...volumes.flatMap((volume, index) => volumeReferences(volume, [...template, 'volumes', index], locate)),
  ]
}

/** Git folders a workload ships, from the repository's root; sorted, each once. */
export function treesOf({ spec }: WorkloadManifest): string[] {
  const { containers = [], processes = [] } = spec.template.spec
  return [...new Set([...containers, ...processes].flatMap((unit) => unit.artifacts.map((artifact) => artifact.git)))].sort()
}
