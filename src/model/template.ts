import { z } from 'zod'
import { Name } from './ids.ts'
import { Probe } from './probe.ts'
import { Isolation, Sandbox, Ulimits, User } from './process.ts'
import { CpuMillis, MemoryBytes } from './quantity.ts'
import { Unreachable } from './unreachable.ts'

const text = (max: number) => z.string().max(max)
const Port = z.int().min(1).max(65_535)
export const EnvName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and "_", not starting with a digit')
const RelativePath = z
  .string()
  .min(1)
  .max(512)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'), {
    error: 'must be a relative path without ".."',
  })

const KeyRef = z.strictObject({ name: Name, key: z.string().min(1) })
const ObjectRef = z.strictObject({ name: Name })

const EnvVar = z
  .strictObject({
    name: EnvName,
    value: text(32_768).optional().meta({ description: 'literal value; empty when neither value nor valueFrom is given' }),
    valueFrom: z
      .strictObject({ configMapKeyRef: KeyRef.optional(), secretKeyRef: KeyRef.optional() })
      .refine((from) => (from.configMapKeyRef === undefined) !== (from.secretKeyRef === undefined), {
        error: 'needs exactly one of configMapKeyRef and secretKeyRef',
      })
      .optional(),
  })
  .refine((env) => env.value === undefined || env.valueFrom === undefined, { error: 'give value or valueFrom, not both' })
export type EnvVar = z.infer<typeof EnvVar>

const EnvFrom = z
  .strictObject({ prefix: EnvName.optional(), configMapRef: ObjectRef.optional(), secretRef: ObjectRef.optional() })
  .refine((from) => (from.configMapRef === undefined) !== (from.secretRef === undefined), {
    error: 'needs exactly one of configMapRef and secretRef',
  })
export type EnvFrom = z.infer<typeof EnvFrom>

const Resources = z.strictObject({
  requests: z
    .strictObject({ cpu: CpuMillis.optional(), memory: MemoryBytes.optional() })
    .prefault({})
    .meta({ description: 'what the scheduler reserves; defaults to limits' }),
  limits: z
    .strictObject({ cpu: CpuMillis.optional(), memory: MemoryBytes.optional() })
    .prefault({})
    .meta({ description: 'what the machine enforces' }),
})

const HostPort = z
  .int()
  .min(0)
  .max(65_535)
  .default(0)
  .meta({ description: 'port on the machine; 0 lets the scheduler choose. Given to the task as PORT_<NAME>' })
const ContainerPort = z.strictObject({
  name: Name,
  containerPort: Port,
  hostPort: HostPort,
  protocol: z.enum(['TCP', 'UDP']).default('TCP'),
})
const ProcessPort = z.strictObject({ name: Name, hostPort: HostPort, protocol: z.enum(['TCP', 'UDP']).default('TCP') })

const Artifact = z
  .strictObject({
    git: RelativePath.optional().meta({ description: 'folder in the repository, from its root; shipped as it is at the revision' }),
    url: text(2048).min(1).optional().meta({ description: 'http or https address of a file that each machine fetches; with sha256' }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/i, 'must be 64 hex digits')
      .optional()
      .meta({ description: 'of the file as it is served; no other content is ever used' }),
    unpack: z
      .boolean()
      .optional()
      .meta({ description: 'whether the file is a tar archive, plain or in gzip, to unpack; by default by its name: .tar, .tar.gz, .tgz' }),
    executable: z.boolean().optional().meta({ description: 'whether the file is a program; false by default, and not for archives' }),
    destination: z.string().min(1).max(512).default('.').meta({
      description:
        'process: below its working directory; container: absolute mount path, read-only. A folder; of one file the path of it, or with a slash at the end its folder',
    }),
  })
  .refine(({ git, url }) => (git === undefined) !== (url === undefined), { error: 'needs exactly one of git and url' })
export type Artifact = z.infer<typeof Artifact>

/** What the fake driver pretends; with none it runs until it is stopped. */
export const FakeScript = z.strictObject({
  runForSeconds: z.number().nonnegative().optional(),
  exitCode: z.int().min(0).max(255).default(0),
  failStart: z.boolean().default(false),
  readyAfterSeconds: z.number().nonnegative().default(0),
  crashAfterSeconds: z.number().nonnegative().optional(),
  unhealthyAfterSeconds: z.number().nonnegative().optional().meta({ description: 'from then on its health check fails' }),
})
export type FakeScript = z.infer<typeof FakeScript>

const byName = <T extends { name: string }>(items: readonly T[]): T[] => [...items].sort((a, b) => (a.name < b.name ? -1 : 1))

/** Marks every item whose name was already used in the list. */
const unique = <T extends { name: string }>(context: z.core.ParsePayload<T[]>): void => {
  const seen = new Set<string>()
  for (const [index, { name }] of context.value.entries()) {
    if (seen.has(name)) context.issues.push({ code: 'custom', message: 'is a name given twice', path: [index, 'name'], input: name })
    seen.add(name)
  }
}

const shared = {
  name: Name,
  env: z.array(EnvVar).check(unique).transform(byName).prefault([]),
  envFrom: z.array(EnvFrom).default([]),
  workingDir: text(4096).optional(),
  user: User.optional(),
  resources: Resources.prefault({}),
  artifacts: z.array(Artifact).default([]),
  startupProbe: Probe.optional().meta({ description: 'until it passed no other probe is asked; when it fails the task is restarted' }),
  readinessProbe: Probe.optional().meta({ description: 'while it fails the task does not count as ready' }),
  livenessProbe: Probe.optional().meta({ description: 'when it fails the task is restarted in place' }),
  fake: FakeScript.optional(),
}

/** What an engine takes as a name; it becomes a part of URLs, so nothing may leave its place there. */
export const IMAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*([:/@][A-Za-z0-9_][A-Za-z0-9._+-]*)*$/

export const ContainerSpec = z.strictObject({
  ...shared,
  image: z.string().min(1).max(512).regex(IMAGE_NAME, 'must be the name of an image, such as nginx:1.27'),
  command: z.array(text(131_072)).default([]).meta({ description: "replaces the image's entrypoint" }),
  args: z.array(text(131_072)).default([]).meta({ description: "replaces the image's command" }),
  imagePullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'),
  ports: z.array(ContainerPort).check(unique).default([]),
  volumeMounts: z
    .array(
      z.strictObject({
        name: Name,
        mountPath: z.string().regex(/^\//, 'must be an absolute path'),
        subPath: RelativePath.optional(),
        readOnly: z.boolean().default(false),
      }),
    )
    .default([]),
})
export type ContainerSpec = z.infer<typeof ContainerSpec>

export const ProcessSpec = z.strictObject({
  ...shared,
  command: z.array(text(131_072)).min(1).meta({ description: 'program and arguments; never a shell line' }),
  args: z.array(text(131_072)).default([]),
  isolation: Isolation.optional().meta({
    description: 'cgroup: refuse machines that cannot limit it; sandbox: also a view of its own; absent: a cgroup where the machine can',
  }),
  sandbox: Sandbox.optional().meta({ description: 'what a sandbox lets in; needs isolation: sandbox' }),
  ulimits: Ulimits.optional(),
  ports: z.array(ProcessPort).check(unique).default([]),
})
export type ProcessSpec = z.infer<typeof ProcessSpec>

const Volume = z
  .strictObject({
    name: Name,
    emptyDir: z.strictObject({}).optional(),
    configMap: ObjectRef.optional(),
    secret: z.strictObject({ secretName: Name }).optional().meta({ description: 'files in memory, readable by the task alone' }),
  })
  .refine(({ emptyDir, configMap, secret }) => [emptyDir, configMap, secret].filter((source) => source !== undefined).length === 1, {
    error: 'needs exactly one of emptyDir, configMap and secret',
  })
export type Volume = z.infer<typeof Volume>

const LabelKey = z.string().regex(/^[A-Za-z0-9]([-A-Za-z0-9_./]{0,251}[A-Za-z0-9])?$/, 'must be a label key')

/** `8` and `true` are label values too; `1.10` is refused, for YAML reads it as 1.1. */
const LabelValue = z.union([text(256), z.int(), z.boolean()]).transform(String)

export const Constraint = z.strictObject({
  key: LabelKey,
  operator: z
    .enum(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt', 'Matches'])
    .meta({ description: 'Matches takes globs with * and ?' }),
  values: z.array(text(256)).max(64).default([]),
})
export type Constraint = z.infer<typeof Constraint>

export const Placement = z.strictObject({
  nodeSelector: z.record(LabelKey, LabelValue).default({}),
  constraints: z.array(Constraint).default([]),
  spread: z.array(z.strictObject({ key: LabelKey, maxSkew: z.int().min(1).default(1) })).default([]),
  maxPerNode: z.int().min(1).optional(),
})
export type Placement = z.infer<typeof Placement>

/** Of a template that gives none. Not filled in, so that the digests of what was written without one are what they were. */
export const DEFAULT_PRIORITY = 50

/** One shape for every Workload: exactly one of `containers` and `processes`. */
export const TemplateSpec = z
  .strictObject({
    driver: z
      .enum(['docker', 'process', 'fake'])
      .optional()
      .meta({ description: 'only "fake" need be said; the others follow from containers or processes' }),
    containers: z.array(ContainerSpec).min(1).max(1, 'several containers in one task are planned, not yet run: use one').optional(),
    processes: z.array(ProcessSpec).min(1).max(1, 'several processes in one task are planned, not yet run: use one').optional(),
    restartPolicy: z
      .enum(['Always', 'OnFailure', 'Never'])
      .optional()
      .meta({ description: 'Deployment: Always; Job: OnFailure (default) or Never' }),
    terminationGracePeriodSeconds: z.int().min(0).max(86_400).default(30),
    hostNetwork: z.boolean().default(false).meta({ description: "use the machine's network: twice as fast to start" }),
    priority: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .meta({ description: 'of tasks that wait for a machine, those with a higher one are placed first; 50 when absent' }),
    placement: Placement.prefault({}),
    unreachable: Unreachable.optional().meta({ description: 'what becomes of a task on a machine that nothing is heard of' }),
    volumes: z.array(Volume).check(unique).default([]),
  })
  .refine((spec) => (spec.containers === undefined) !== (spec.processes === undefined), {
    error: 'needs exactly one of containers and processes',
  })
export type TemplateSpec = z.infer<typeof TemplateSpec>

export const Template = z.strictObject({
  metadata: z.strictObject({ labels: z.record(LabelKey, text(256)).default({}) }).prefault({}),
  spec: TemplateSpec,
})
export type Template = z.infer<typeof Template>
