import type { WorkloadManifest } from '../model/manifest.ts'
import type { ContainerSpec, ProcessSpec, TemplateSpec } from '../model/template.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { quote } from './problem.ts'
import { didYouMean } from './suggest.ts'
import { aboutField } from './wording.ts'

const TEMPLATE: Path = ['spec', 'template', 'spec']

/** A rule of one field: where, what is wrong, and how to mend it. */
const broken = (path: Path, clause: string, hint: string | null = null): Located => ({
  path,
  on: 'value',
  tell: () => aboutField(path, clause, hint),
})

function restartPolicy({ kind, spec }: WorkloadManifest): Located[] {
  const policy = spec.template.spec.restartPolicy
  const path = [...TEMPLATE, 'restartPolicy']
  if (policy === undefined) return []
  if (kind === 'Deployment') return policy === 'Always' ? [] : [broken(path, 'must be Always in a Deployment', 'a task that ends is a Job')]
  return policy === 'Always' ? [broken(path, 'must be OnFailure or Never in a Job', 'a task that never ends is a Deployment')] : []
}

const isZero = (value: number | string): boolean => value === 0 || /^0+%$/.test(String(value))

function rollingUpdate({ kind, spec }: WorkloadManifest): Located[] {
  if (kind !== 'Deployment' || spec.strategy.type === 'Recreate') return []
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate
  if (!isZero(maxSurge) || !isZero(maxUnavailable)) return []
  const path = ['spec', 'strategy', 'rollingUpdate']
  return [broken(path, 'maxSurge and maxUnavailable are both 0: an update could never move', 'set maxSurge: 1')]
}

function dependencies({ spec }: WorkloadManifest): Located[] {
  return spec.dependsOn.flatMap(({ kind, condition }, index) => {
    const fitting = kind === 'Job' ? 'Complete' : 'Available'
    return condition === fitting ? [] : [broken(['spec', 'dependsOn', index, 'condition'], `must be ${fitting} for a ${kind}`)]
  })
}

function driver({ spec }: WorkloadManifest): Located[] {
  const { driver: name, containers, processes } = spec.template.spec
  const path = [...TEMPLATE, 'driver']
  if (name === 'docker' && containers === undefined) return [broken(path, 'docker runs containers', 'remove it, or use containers')]
  return name === 'process' && processes === undefined ? [broken(path, 'process runs processes', 'remove it, or use processes')] : []
}

const ARITY: Readonly<Record<string, { fits: (values: readonly string[]) => boolean; clause: string }>> = {
  In: { fits: (values) => values.length > 0, clause: 'must have at least one item for In' },
  NotIn: { fits: (values) => values.length > 0, clause: 'must have at least one item for NotIn' },
  Matches: { fits: (values) => values.length > 0, clause: 'must have at least one item for Matches' },
  Exists: { fits: (values) => values.length === 0, clause: 'must be left out for Exists' },
  DoesNotExist: { fits: (values) => values.length === 0, clause: 'must be left out for DoesNotExist' },
  Gt: { fits: isOneInteger, clause: 'must be one whole number for Gt' },
  Lt: { fits: isOneInteger, clause: 'must be one whole number for Lt' },
}

function isOneInteger(values: readonly string[]): boolean {
  return values.length === 1 && /^-?\d{1,15}$/.test(values[0] ?? '')
}

function constraints({ spec }: WorkloadManifest): Located[] {
  return spec.template.spec.placement.constraints.flatMap(({ operator, values }, index) => {
    const arity = ARITY[operator]
    if (arity === undefined || arity.fits(values)) return []
    return [broken([...TEMPLATE, 'placement', 'constraints', index, 'values'], arity.clause)]
  })
}

const isInside = (path: string): boolean => !path.startsWith('/') && !path.split('/').includes('..')
const isMountable = (path: string): boolean => /^\/+[^/]/.test(path) && !path.split('/').includes('..')

function processUnit(spec: TemplateSpec, unit: ProcessSpec, at: Path): Located[] {
  const artifacts = unit.artifacts.flatMap(({ destination }, index) =>
    isInside(destination) ? [] : [broken([...at, 'artifacts', index, 'destination'], 'must be a relative path without ".." for a process')],
  )
  return [...artifacts, ...fakeScript(spec, unit, at)]
}

function containerUnit(spec: TemplateSpec, unit: ContainerSpec, at: Path): Located[] {
  const names = spec.volumes.map((volume) => volume.name)
  const taken = new Set<string>()
  const mount = (path: Path, target: string): Located[] => {
    if (!isMountable(target)) return [broken(path, 'must be an absolute path without ".." in a container', 'for example /site')]
    const place = target.replace(/\/+/g, '/').replace(/\/$/, '')
    if (taken.has(place)) return [broken(path, `is mounted twice: ${quote(place)}`)]
    taken.add(place)
    return []
  }
  const mounts = unit.volumeMounts.flatMap(({ name, mountPath }, index) => {
    const path = [...at, 'volumeMounts', index]
    const unknown = names.includes(name)
      ? []
      : [broken([...path, 'name'], `names no volume of this template: ${quote(name)}`, didYouMean(name, names))]
    return [...unknown, ...mount([...path, 'mountPath'], mountPath)]
  })
  const artifacts = unit.artifacts.flatMap(({ destination }, index) => mount([...at, 'artifacts', index, 'destination'], destination))
  return [...mounts, ...artifacts, ...fakeScript(spec, unit, at)]
}

function fakeScript(spec: TemplateSpec, unit: { fake?: unknown }, at: Path): Located[] {
  if (unit.fake === undefined || spec.driver === 'fake') return []
  return [broken([...at, 'fake'], 'needs driver: fake', 'add `driver: fake` to the template, or remove the script')]
}

function units({ spec }: WorkloadManifest): Located[] {
  const template = spec.template.spec
  const containers = (template.containers ?? []).flatMap((unit, index) => containerUnit(template, unit, [...TEMPLATE, 'containers', index]))
  const processes = (template.processes ?? []).flatMap((unit, index) => processUnit(template, unit, [...TEMPLATE, 'processes', index]))
  return [...containers, ...processes]
}

/** What the schema cannot say, in the order it is told. */
const RULES: readonly ((manifest: WorkloadManifest) => Located[])[] = [
  restartPolicy,
  rollingUpdate,
  dependencies,
  driver,
  constraints,
  units,
]

export const checkRules = (manifest: WorkloadManifest): Located[] => RULES.flatMap((rule) => rule(manifest))

type Written = (path: Path) => boolean

/** Fields that are written but have no meaning beside another: refused, for nothing is ever ignored. */
export function checkMeaningless({ kind, spec }: WorkloadManifest, written: Written): Located[] {
  if (kind !== 'Deployment') return []
  const found: Located[] = []
  const replicas: Path = ['spec', 'replicas']
  const rolling: Path = ['spec', 'strategy', 'rollingUpdate']
  if (spec.mode === 'Global' && written(replicas)) found.push(broken(replicas, 'has no meaning with mode: Global', 'remove it'))
  if (spec.strategy.type === 'Recreate' && written(rolling)) found.push(broken(rolling, 'has no meaning with type: Recreate', 'remove it'))
  return found
}
