import { bodyOf } from '../model/body.ts'
import { parseWorkloadKey } from '../model/ids.ts'
import type { SealedValue } from '../model/secret.ts'
import type { Task } from '../model/task.ts'
import type { UnitSpec } from '../model/task-spec.ts'
import type { ContainerSpec, EnvFrom, EnvVar, ProcessSpec } from '../model/template.ts'
import type { WorkloadVersion } from '../model/version.ts'

/** A value that may be seen by all, or one that the task alone gets to see. */
type Given = { readonly plain: string } | { readonly secret: SealedValue }

type Unit = Pick<ContainerSpec | ProcessSpec, 'env' | 'envFrom'>

/** The environment of a unit, the later entry winning: `envFrom`, `env`, and last Drover's own names, so no manifest can pretend to be another task. */
export function environmentOf(unit: Unit, ports: UnitSpec['ports'], { task, version }: { task: Task; version: WorkloadVersion }) {
  const given = new Map<string, Given>([
    ...unit.envFrom.flatMap((from) => wholeObject(from, version)),
    ...unit.env.map((variable) => [variable.name, givenBy(variable, version)] as const),
    ...Object.entries({ ...portNames(ports), ...identity(task), ...indexOf(task, version) }).map(
      ([name, plain]) => [name, { plain }] as const,
    ),
  ])
  const env: Record<string, string> = {}
  const secretEnv: Record<string, SealedValue> = {}
  for (const [name, value] of given) {
    if ('plain' in value) env[name] = value.plain
    else secretEnv[name] = value.secret
  }
  return { env, secretEnv }
}

function wholeObject({ prefix = '', configMapRef, secretRef }: EnvFrom, { configs, secrets = {} }: WorkloadVersion): [string, Given][] {
  const plain = Object.entries(configs[configMapRef?.name ?? ''] ?? {})
  const sealed = Object.entries(secrets[secretRef?.name ?? ''] ?? {})
  return [
    ...plain.map(([key, value]): [string, Given] => [`${prefix}${key}`, { plain: value }]),
    ...sealed.map(([key, value]): [string, Given] => [`${prefix}${key}`, { secret: value }]),
  ]
}

function givenBy({ value, valueFrom }: EnvVar, { configs, secrets }: WorkloadVersion): Given {
  const { configMapKeyRef: config, secretKeyRef } = valueFrom ?? {}
  const secret = secretKeyRef && secrets?.[secretKeyRef.name]?.[secretKeyRef.key]
  if (secret !== undefined) return { secret }
  return { plain: config === undefined ? (value ?? '') : (configs[config.name]?.[config.key] ?? '') }
}

const portNames = (ports: UnitSpec['ports']): Record<string, string> =>
  Object.fromEntries(ports.map(({ name, hostPort }) => [`PORT_${name.toUpperCase().replaceAll('-', '_')}`, String(hostPort)]))

/** As Kubernetes' JOB_COMPLETION_INDEX. */
function indexOf({ slot }: Task, version: WorkloadVersion): Record<string, string> {
  const body = bodyOf(version)
  return 'completions' in body && body.completionMode === 'Indexed' ? { DROVER_INDEX: slot } : {}
}

function identity(task: Task): Record<string, string> {
  const { namespace, name } = parseWorkloadKey(task.workload)
  return {
    DROVER_APP: task.app,
    DROVER_NAMESPACE: namespace,
    DROVER_WORKLOAD: name,
    DROVER_TASK: task.id,
    DROVER_SLOT: task.slot,
    DROVER_REVISION: task.revision,
  }
}
