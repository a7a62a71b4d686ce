import { bodyOf } from '../model/body.ts'
import type { Task } from '../model/task.ts'
import type { ArtifactSpec, TaskSpec, UnitSpec, VolumeSpec } from '../model/task-spec.ts'
import type { Artifact, ContainerSpec, ProcessSpec, TemplateSpec, Volume } from '../model/template.ts'
import { replaceAfter } from '../model/unreachable.ts'
import type { WorkloadVersion } from '../model/version.ts'
import { driverOf } from './schedule/requirements.ts'
import { environmentOf } from './task-env.ts'
import { probeSpecs } from './task-probes.ts'

/** What an agent needs to run one task: the version's template with the task's own slot, ports and identity filled in. */
export function taskSpec(task: Task, version: WorkloadVersion, pinned: Readonly<Record<string, string>> = {}): TaskSpec {
  const template = bodyOf(version).template.spec
  return {
    driver: driverOf(template),
    units: units(template).map((unit) => ({ ...unitSpec(unit, task, version), ...pinOf(pinned[unit.name]) })),
    volumes: template.volumes.map((volume) => volumeSpec(volume, version)),
    hostNetwork: template.hostNetwork,
    restartPolicy: template.restartPolicy ?? (version.kind === 'Deployment' ? 'Always' : 'OnFailure'),
    maxRestarts: task.maxRestarts,
    gracePeriodSeconds: template.terminationGracePeriodSeconds,
    ...stopLocalOf(version),
    labels: { app: task.app, namespace: version.namespace, workload: version.name, ...labelsOf(version) },
  }
}

/** Seconds of the margin before a replacement that are left for a kill, and for clocks that run apart. */
const KILLED_WITHIN = 5

/** A machine that gives a task up has no more grace for it than there is until another starts it. */
function stopLocalOf(version: WorkloadVersion): Pick<TaskSpec, 'stopLocal'> {
  const { unreachable, terminationGracePeriodSeconds } = bodyOf(version).template.spec
  const afterSeconds = unreachable?.stopLocalAfterSeconds
  if (afterSeconds === undefined) return {}
  const replace = isBound(version) ? null : replaceAfter(unreachable, version.kind)
  const most = replace === null ? Number.POSITIVE_INFINITY : replace - afterSeconds - KILLED_WITHIN
  return { stopLocal: { afterSeconds, graceSeconds: Math.min(terminationGracePeriodSeconds, most) } }
}

/** A task of a Global Deployment is never replaced elsewhere. */
const isBound = (version: WorkloadVersion): boolean => version.kind === 'Deployment' && version.spec.mode === 'Global'

const pinOf = (image: string | undefined): Pick<UnitSpec, 'pinned'> => (image === undefined ? {} : { pinned: image })

function units(template: TemplateSpec): readonly (ContainerSpec | ProcessSpec)[] {
  return template.containers ?? template.processes ?? []
}

function labelsOf(version: WorkloadVersion): Record<string, string> {
  return Object.fromEntries(Object.entries(bodyOf(version).template.metadata.labels).map(([key, value]) => [`label/${key}`, value]))
}

function unitSpec(unit: ContainerSpec | ProcessSpec, task: Task, version: WorkloadVersion): UnitSpec {
  const { limits } = unit.resources
  const given = ports(unit, task)
  return {
    name: unit.name,
    ...('image' in unit ? { image: unit.image } : {}),
    imagePullPolicy: 'image' in unit ? unit.imagePullPolicy : 'IfNotPresent',
    command: unit.command,
    args: unit.args,
    ...environmentOf(unit, given, { task, version }),
    ...(unit.workingDir === undefined ? {} : { workingDir: unit.workingDir }),
    ...(unit.user === undefined ? {} : { user: unit.user }),
    limits: {
      ...(limits.cpu === undefined ? {} : { cpuMillis: limits.cpu }),
      ...(limits.memory === undefined ? {} : { memoryBytes: limits.memory }),
    },
    ...('isolation' in unit && unit.isolation !== undefined ? { isolation: unit.isolation } : {}),
    ...('sandbox' in unit && unit.sandbox !== undefined ? { sandbox: unit.sandbox } : {}),
    ...('ulimits' in unit && unit.ulimits !== undefined ? { ulimits: unit.ulimits } : {}),
    ports: given,
    mounts: 'volumeMounts' in unit ? mounts(unit, version) : [],
    artifacts: unit.artifacts.flatMap((artifact) => artifactSpec(artifact, version)),
    probes: probeSpecs(unit, given, bodyOf(version).template.spec.hostNetwork ? 'host' : 'bridge'),
    ...(unit.fake === undefined ? {} : { fake: unit.fake }),
  }
}

function artifactSpec({ git, url, sha256, unpack, executable, destination }: Artifact, { trees }: WorkloadVersion): ArtifactSpec[] {
  if (url !== undefined && sha256 !== undefined) {
    const form = unpack === true ? 'unpacked' : executable === true ? 'executable' : 'file'
    return [{ download: { url, sha256, form }, destination }]
  }
  const tree = git === undefined ? undefined : trees[git]
  return tree === undefined ? [] : [{ tree, destination }]
}

/** As in Kubernetes, a task never writes to its ConfigMap or Secret: in place restarts find what git says. */
function mounts({ volumeMounts }: ContainerSpec, version: WorkloadVersion): UnitSpec['mounts'] {
  const given = new Set(
    bodyOf(version)
      .template.spec.volumes.filter(({ emptyDir }) => emptyDir === undefined)
      .map(({ name }) => name),
  )
  return volumeMounts.map(({ name, ...mount }) => ({ volume: name, ...mount, readOnly: mount.readOnly || given.has(name) }))
}

function ports(unit: ContainerSpec | ProcessSpec, task: Task): UnitSpec['ports'] {
  return unit.ports.map((port) => ({
    name: port.name,
    ...('containerPort' in port ? { containerPort: port.containerPort } : {}),
    hostPort: task.ports[port.name] ?? port.hostPort,
    protocol: port.protocol,
  }))
}

function volumeSpec({ name, configMap, secret }: Volume, version: WorkloadVersion): VolumeSpec {
  if (configMap !== undefined) return { type: 'files', name, files: version.configs[configMap.name] ?? {} }
  if (secret !== undefined) return { type: 'secret', name, files: version.secrets?.[secret.secretName] ?? {} }
  return { type: 'emptyDir', name }
}
