import { z } from 'zod'

/** A DNS-1123 label: what every name in a manifest must be. */
export const NAME_PATTERN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

export const Name = z
  .string()
  .regex(NAME_PATTERN, 'must be lower-case letters, digits and "-", start and end with a letter or digit, at most 63')
  .meta({ description: 'DNS-1123 label' })

/** Names one Workload in the whole cluster: `namespace/Kind/name`. */
export const WorkloadKey = z
  .string()
  .regex(/^[a-z0-9-]+\/(Deployment|Job|CronJob)\/[a-z0-9-]+$/)
  .brand<'WorkloadKey'>()
export type WorkloadKey = z.infer<typeof WorkloadKey>

export const TaskId = z
  .string()
  .regex(/^[a-z0-9-]{1,128}$/)
  .brand<'TaskId'>()
export type TaskId = z.infer<typeof TaskId>

export const RunId = z
  .string()
  .regex(/^[a-z0-9.-]{1,160}$/)
  .brand<'RunId'>()
export type RunId = z.infer<typeof RunId>

export const AgentId = z.string().regex(NAME_PATTERN).brand<'AgentId'>()
export type AgentId = z.infer<typeof AgentId>

/** A resolved git commit or tree object id: 40 hex digits. */
export const Oid = z
  .string()
  .regex(/^[0-9a-f]{40}$/)
  .brand<'Oid'>()
export type Oid = z.infer<typeof Oid>

/** SHA-256 in hex of canonical JSON. */
export const Digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<'Digest'>()
export type Digest = z.infer<typeof Digest>

/** Create-revision of the leader's key; older is refused everywhere. */
export const Epoch = z.number().int().nonnegative().brand<'Epoch'>()
export type Epoch = z.infer<typeof Epoch>

/** Milliseconds since 1970 on the wall clock. */
export type Millis = number

export type WorkloadKind = 'Deployment' | 'Job' | 'CronJob'

export function workloadKey(namespace: string, kind: WorkloadKind, name: string): WorkloadKey {
  return `${namespace}/${kind}/${name}` as WorkloadKey
}

/** @throws never for a value that passed `WorkloadKey`; the pattern guarantees three parts. */
export function parseWorkloadKey(key: WorkloadKey): { namespace: string; kind: WorkloadKind; name: string } {
  const [namespace = '', kind = '', name = ''] = key.split('/')
  return { namespace, kind: kind as WorkloadKind, name }
}
