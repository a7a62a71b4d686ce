import { z } from 'zod'
import { Oid } from './ids.ts'
import { ProbeSpecs } from './probe.ts'
import { Isolation, Sandbox, Ulimits } from './process.ts'
import { SealedValue } from './secret.ts'
import { FakeScript } from './template.ts'

export const DriverName = z.enum(['docker', 'process', 'fake'])
export type DriverName = z.infer<typeof DriverName>

const Limits = z.object({ cpuMillis: z.number().int().optional(), memoryBytes: z.number().int().optional() })

/** A file that the machine fetches, and what becomes of it there. */
export const Download = z.object({
  url: z.string(),
  /** 64 hex digits, lower case. */
  sha256: z.string(),
  form: z.enum(['file', 'executable', 'unpacked']),
})
export type Download = z.infer<typeof Download>

/** A folder of git by its tree, or a download; `destination` is the path of the file when it is one. */
const ArtifactSpec = z.union([z.object({ tree: Oid, destination: z.string() }), z.object({ download: Download, destination: z.string() })])
export type ArtifactSpec = z.infer<typeof ArtifactSpec>

/** One container or process of a task, with every reference resolved. */
export const UnitSpec = z.object({
  name: z.string(),
  image: z.string().optional(),
  /** The very image that this machine, or any, resolved `image` to when the template first ran: `name@sha256:...` or an image id. */
  pinned: z.string().optional(),
  imagePullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'),
  command: z.array(z.string()),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  /** Variables that only the task itself gets to see in plain. */
  secretEnv: z.record(z.string(), SealedValue).default({}),
  workingDir: z.string().optional(),
  user: z.string().optional(),
  limits: Limits,
  isolation: Isolation.optional(),
  sandbox: Sandbox.optional(),
  ulimits: Ulimits.optional(),
  /** `containerPort` is absent for a process; `hostPort` is the port really given. */
  ports: z.array(
    z.object({
      name: z.string(),
      containerPort: z.number().int().optional(),
      hostPort: z.number().int(),
      protocol: z.enum(['TCP', 'UDP']),
    }),
  ),
  mounts: z.array(z.object({ volume: z.string(), mountPath: z.string(), subPath: z.string().optional(), readOnly: z.boolean() })),
  artifacts: z.array(ArtifactSpec),
  probes: ProbeSpecs.default({}),
  fake: FakeScript.optional(),
})
export type UnitSpec = z.infer<typeof UnitSpec>

export const VolumeSpec = z.discriminatedUnion('type', [
  z.object({ type: z.literal('emptyDir'), name: z.string() }),
  z.object({ type: z.literal('files'), name: z.string(), files: z.record(z.string(), z.string()) }),
  z.object({ type: z.literal('secret'), name: z.string(), files: z.record(z.string(), SealedValue) }),
])
export type VolumeSpec = z.infer<typeof VolumeSpec>

/** Everything a machine needs to run a task; no reference is left to resolve but trees by oid, downloads by checksum and images. */
export const TaskSpec = z.object({
  driver: DriverName,
  units: z.array(UnitSpec).min(1),
  volumes: z.array(VolumeSpec),
  hostNetwork: z.boolean(),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']),
  /** In-place restarts allowed after a failure; null: no limit. */
  maxRestarts: z.number().int().nullable(),
  gracePeriodSeconds: z.number().int(),
  /** After how long without a control plane the machine stops it by itself, and the grace it has then; absent: never. */
  stopLocal: z.object({ afterSeconds: z.number().int(), graceSeconds: z.number().int() }).optional(),
  labels: z.record(z.string(), z.string()),
})
export type TaskSpec = z.infer<typeof TaskSpec>
