import type { ContainerCreateOptions, HostConfig, MountSettings } from 'dockerode'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { IMAGE_NAME } from '../../../src/model/template.ts'
import type { AttemptRef } from '../../driver.ts'
import { TASK_OOM_SCORE_ADJ } from '../../oom.ts'
import { type OpenedSecrets, plainAll } from '../../secrets.ts'
import { containerLabels, containerName, type Identity } from './names.ts'

/** Fork bombs end here; far above what servers need. */
const PIDS_LIMIT = 4096
const NANO_CPUS_PER_MILLI = 1_000_000

/** The one container of a task. @throws TerminalError when there is not exactly one */
export function onlyUnit(spec: TaskSpec): UnitSpec {
  const [unit, ...others] = spec.units
  if (unit === undefined || others.length > 0) throw new TerminalError('NotSupported', 'the docker driver runs one container a task')
  return unit
}

/** What it runs: the very image it ran first, wherever the tag points by now. @throws TerminalError when the unit names no image */
export function imageOf({ name, pinned, image }: UnitSpec): string {
  const reference = pinned ?? image ?? ''
  if (IMAGE_NAME.test(reference)) return reference
  throw new TerminalError('InvalidImageName', `container ${name} names no image: ${JSON.stringify(reference)}`)
}

const hasProbes = ({ probes }: UnitSpec): boolean => Object.values(probes).some((probe) => probe !== undefined)

export interface ContainerPlan {
  readonly identity: Identity
  readonly ref: AttemptRef
  readonly spec: TaskSpec
  readonly secrets: OpenedSecrets
  readonly mounts: MountSettings[]
  /** Name of the bridge network that tasks share. */
  readonly network: string
}

/**
 * What Docker is told to create. Never AutoRemove nor a restart policy: the exit code would be gone,
 * or an attempt would start twice.
 */
export function containerConfig(plan: ContainerPlan): ContainerCreateOptions {
  const { identity, ref, spec } = plan
  const unit = onlyUnit(spec)
  return {
    name: containerName(identity, ref),
    Image: imageOf(unit),
    Labels: containerLabels(identity, ref, spec),
    Env: Object.entries({ ...unit.env, ...plainAll(unit.secretEnv, plan.secrets), DROVER_ATTEMPT: String(ref.attempt) }).map(
      ([key, value]) => `${key}=${value}`,
    ),
    StopTimeout: spec.gracePeriodSeconds,
    // The manifest's probes stand in the place of the image's own health check.
    ...(hasProbes(unit) ? { Healthcheck: { Test: ['NONE'] } } : {}),
    ...command(unit),
    ...(unit.workingDir === undefined ? {} : { WorkingDir: unit.workingDir }),
    ...(unit.user === undefined ? {} : { User: unit.user }),
    ExposedPorts: Object.fromEntries(publishedPorts(plan).map(({ key }) => [key, {}])),
    HostConfig: hostConfig(plan, unit),
  }
}

/** As in Kubernetes: `command` replaces the entrypoint and drops the image's own arguments with it. */
function command(unit: UnitSpec): Pick<ContainerCreateOptions, 'Entrypoint' | 'Cmd'> {
  if (unit.command.length > 0) return { Entrypoint: unit.command, Cmd: unit.args }
  return unit.args.length > 0 ? { Cmd: unit.args } : {}
}

function hostConfig(plan: ContainerPlan, unit: UnitSpec): HostConfig {
  const { cpuMillis, memoryBytes } = unit.limits
  return {
    AutoRemove: false,
    RestartPolicy: { Name: 'no' },
    Init: true,
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    CapDrop: ['NET_RAW'],
    SecurityOpt: ['no-new-privileges'],
    PidsLimit: PIDS_LIMIT,
    OomScoreAdj: TASK_OOM_SCORE_ADJ,
    // A core holds the environment, and lands on a disk.
    Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
    // Equal to the memory limit: no swap on top.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(cpuMillis === undefined ? {} : { NanoCpus: cpuMillis * NANO_CPUS_PER_MILLI }),
    Mounts: plan.mounts,
    NetworkMode: plan.spec.hostNetwork ? 'host' : plan.network,
    PortBindings: portBindings(plan),
  }
}

interface PublishedPort {
  readonly key: string
  readonly hostPort: number
}

function publishedPorts({ spec }: ContainerPlan): PublishedPort[] {
  if (spec.hostNetwork) return []
  return onlyUnit(spec).ports.map(({ containerPort, hostPort, protocol }) => ({
    key: `${containerPort ?? hostPort}/${protocol.toLowerCase()}`,
    hostPort,
  }))
}

function portBindings(plan: ContainerPlan): Record<string, { HostPort: string }[]> {
  const bindings: Record<string, { HostPort: string }[]> = {}
  for (const { key, hostPort } of publishedPorts(plan)) bindings[key] = [...(bindings[key] ?? []), { HostPort: String(hostPort) }]
  return bindings
}
