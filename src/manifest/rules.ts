import { BODY_PATH } from '../model/body.ts'
import type { Manifest, SyncPolicy, WorkloadManifest } from '../model/manifest.ts'
import type { ContainerSpec, ProcessSpec, TemplateSpec } from '../model/template.ts'
import { artifactRules } from './artifact-rules.ts'
import { cronSchedule, failureRules, idleInCronJob, idleInJob, idleInRun } from './batch-rules.ts'
import { isWorkload } from './identity.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { probes, readinessInJob } from './probe-rules.ts'
import { quote } from './problem.ts'
import { canary, idleInDeployment, progressDeadline, rollingUpdate } from './rollout-rules.ts'
import { broken, templateOf, type Written } from './rule.ts'
import { sandboxes } from './sandbox-rules.ts'
import { secretRules } from './sops-document.ts'
import { didYouMean } from './suggest.ts'
import { unreachableRules } from './unreachable-rules.ts'

function restartPolicy(manifest: WorkloadManifest): Located[] {
  const { spec, at } = templateOf(manifest)
  const policy = spec.restartPolicy
  const path = [...at, 'restartPolicy']
  if (policy === undefined) return []
  if (manifest.kind === 'Deployment')
    return policy === 'Always' ? [] : [broken(path, 'must be Always in a Deployment', 'a task that ends is a Job')]
  return policy === 'Always'
    ? [broken(path, `must be OnFailure or Never in a ${manifest.kind}`, 'a task that never ends is a Deployment')]
    : []
}

function dependencies({ spec }: WorkloadManifest): Located[] {
  return spec.dependsOn.flatMap(({ kind, condition }, index) => {
    const fitting = kind === 'Job' ? 'Complete' : 'Available'
    return condition === fitting ? [] : [broken(['spec', 'dependsOn', index, 'condition'], `must be ${fitting} for a ${kind}`)]
  })
}

function driver(manifest: WorkloadManifest): Located[] {
  const { spec, at } = templateOf(manifest)
  const { driver: name, containers, processes } = spec
  const path = [...at, 'driver']
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

function constraints(manifest: WorkloadManifest): Located[] {
  const { spec, at } = templateOf(manifest)
  return spec.placement.constraints.flatMap(({ operator, values }, index) => {
    const arity = ARITY[operator]
    if (arity === undefined || arity.fits(values)) return []
    return [broken([...at, 'placement', 'constraints', index, 'values'], arity.clause)]
  })
}

const isInside = (path: string): boolean => !path.startsWith('/') && !path.split('/').includes('..')
const isMountable = (path: string): boolean => /^\/+[^/]/.test(path) && !path.split('/').includes('..')

function processUnit(spec: TemplateSpec, unit: ProcessSpec, at: Path): Located[] {
  const artifacts = artifactRules(unit.artifacts, [...at, 'artifacts'], (path, place) =>
    isInside(place) ? [] : [broken(path, 'must be a relative path without ".." for a process')],
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
  const artifacts = artifactRules(unit.artifacts, [...at, 'artifacts'], mount)
  return [...mounts, ...artifacts, ...fakeScript(spec, unit, at)]
}

function fakeScript(spec: TemplateSpec, unit: { fake?: unknown }, at: Path): Located[] {
  if (unit.fake === undefined || spec.driver === 'fake') return []
  return [broken([...at, 'fake'], 'needs driver: fake', 'add `driver: fake` to the template, or remove the script')]
}

function units(manifest: WorkloadManifest): Located[] {
  const { spec: template, at } = templateOf(manifest)
  const containers = (template.containers ?? []).flatMap((unit, index) => containerUnit(template, unit, [...at, 'containers', index]))
  const processes = (template.processes ?? []).flatMap((unit, index) => processUnit(template, unit, [...at, 'processes', index]))
  return [...containers, ...processes]
}

/** What the schema cannot say, in the order it is told. */
const RULES: readonly ((manifest: WorkloadManifest) => Located[])[] = [
  restartPolicy,
  rollingUpdate,
  progressDeadline,
  canary,
  dependencies,
  driver,
  constraints,
  units,
  probes,
  failureRules,
  cronSchedule,
  sandboxes,
  unreachableRules,
]

export function checkRules(manifest: Manifest): Located[] {
  if (manifest.kind === 'Secret') return secretRules(manifest)
  return isWorkload(manifest) ? RULES.flatMap((rule) => rule(manifest)) : []
}

/** Fields that are written but have no meaning beside another: refused, for nothing is ever ignored. */
export function checkMeaningless(manifest: Manifest, written: Written): Located[] {
  switch (manifest.kind) {
    case 'App':
      return idleInApp(manifest.spec.sync, written)
    case 'Deployment':
      return idleInDeployment(manifest.spec, written)
    case 'Job':
      return [...readinessInJob(manifest), ...idleInJob(manifest.spec), ...idleInRun(manifest.spec, BODY_PATH.Job, written)]
    case 'CronJob':
      return [
        ...readinessInJob(manifest),
        ...idleInCronJob(manifest.spec, written),
        ...idleInRun(manifest.spec.jobTemplate.spec, BODY_PATH.CronJob, written),
      ]
    case 'ConfigMap':
    case 'Secret':
      return []
  }
}

/** Both say what becomes of a revision as a whole. */
function idleInApp({ atomic }: SyncPolicy, written: Written): Located[] {
  if (atomic) return []
  const paths: Path[] = ['deadlineSeconds', 'onFailure'].map((field) => ['spec', 'sync', field])
  return paths.filter(written).map((path) => broken(path, 'has no meaning without atomic: true', 'add `atomic: true`, or remove it'))
}
