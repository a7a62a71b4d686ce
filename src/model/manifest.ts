import { z } from 'zod'
import { CronJobSpec, JobSpec } from './batch.ts'
import { DependsOn } from './depends-on.ts'
import { Name } from './ids.ts'
import { IntOrPercent } from './quantity.ts'
import { SopsMetadata } from './secret.ts'
import { Template } from './template.ts'

export const API_VERSION = 'drover.dev/v1'
const apiVersion = z.literal(API_VERSION)

const Metadata = z.strictObject({
  name: Name,
  namespace: Name.default('default'),
  labels: z.record(z.string().max(253), z.string().max(256)).default({}),
  annotations: z.record(z.string().max(253), z.string().max(4096)).default({}),
})

const CanaryStep = z
  .strictObject({
    replicas: z.int().min(1).max(100_000).optional(),
    percent: z.int().min(1).max(100).optional().meta({ description: 'of the replicas, rounded up' }),
    pauseSeconds: z.int().min(0).max(2_592_000).optional().meta({ description: 'how long it stays there; 0 when absent' }),
    manual: z.literal(true).optional().meta({ description: 'stays there until `drover promote`' }),
  })
  .refine((step) => (step.replicas === undefined) !== (step.percent === undefined), { error: 'needs exactly one of replicas and percent' })
  .refine((step) => step.pauseSeconds === undefined || step.manual === undefined, { error: 'give pauseSeconds or manual, not both' })
export type CanaryStep = z.infer<typeof CanaryStep>

const Canary = z.strictObject({
  steps: z.array(CanaryStep).min(1).max(20),
  autoPromote: z.boolean().default(true).meta({ description: 'false: after the last step it waits for `drover promote`' }),
})

const Strategy = z.strictObject({
  type: z.enum(['RollingUpdate', 'Recreate']).default('RollingUpdate'),
  rollingUpdate: z
    .strictObject({
      maxSurge: IntOrPercent.default('25%').meta({ description: 'extra tasks during an update; percentages round up' }),
      maxUnavailable: IntOrPercent.default('25%').meta({
        description: 'tasks that may be missing during an update; percentages round down',
      }),
    })
    .prefault({}),
  canary: Canary.optional().meta({
    description: 'tasks of a new version beside all old ones, in steps, before any old one stops; 100 percent is blue/green',
  }),
})

export const DeploymentSpec = z.strictObject({
  mode: z.enum(['Replicated', 'Global']).default('Replicated').meta({ description: 'Global: one task on each matching agent' }),
  replicas: z.int().min(0).max(100_000).default(1),
  strategy: Strategy.prefault({}),
  minReadySeconds: z.int().min(0).max(86_400).default(0).meta({ description: 'how long a task must be ready to count as available' }),
  progressDeadlineSeconds: z
    .int()
    .min(1)
    .max(2_592_000)
    .default(600)
    .meta({ description: 'a rollout without progress for so long has failed' }),
  onFailure: z
    .enum(['Rollback', 'Hold', 'Continue'])
    .default('Rollback')
    .meta({ description: 'a failed rollout returns to the last good version, stays where it is, or goes on trying' }),
  revisionHistoryLimit: z.int().min(1).max(100).default(10).meta({ description: 'rollouts remembered' }),
  dependsOn: z.array(DependsOn).default([]),
  template: Template,
})
export type DeploymentSpec = z.infer<typeof DeploymentSpec>

const Budget = z.strictObject({
  count: z.int().min(0).default(3),
  percent: z.int().min(0).max(100).default(30),
})

export const SyncPolicy = z.strictObject({
  mode: z.enum(['Auto', 'Manual']).default('Auto'),
  prune: z.boolean().default(true).meta({ description: 'remove what a revision no longer holds' }),
  deletionBudget: Budget.prefault({}).meta({ description: 'a revision that removes more than max(count, percent) is held' }),
  atomic: z
    .boolean()
    .default(false)
    .meta({ description: 'a revision becomes healthy as a whole, or all of it returns to the last good one' }),
  deadlineSeconds: z
    .int()
    .min(1)
    .max(2_592_000)
    .default(1800)
    .meta({ description: 'how long an atomic revision may take to become healthy' }),
  onFailure: z.enum(['Rollback', 'Hold']).default('Rollback').meta({ description: 'what becomes of an atomic revision that failed' }),
})
export type SyncPolicy = z.infer<typeof SyncPolicy>
/** As a record holds it: a field that a newer server wrote is left out, and not refused. */
export const StoredPolicy = z.object({ ...SyncPolicy.shape, deletionBudget: z.object(Budget.shape).prefault({}) })

export const Deployment = z
  .strictObject({ apiVersion, kind: z.literal('Deployment'), metadata: Metadata, spec: DeploymentSpec })
  .meta({ id: 'Deployment', description: 'keeps tasks running' })
export const Job = z
  .strictObject({ apiVersion, kind: z.literal('Job'), metadata: Metadata, spec: JobSpec })
  .meta({ id: 'Job', description: 'runs tasks to completion, once for each spec' })
export const CronJob = z
  .strictObject({ apiVersion, kind: z.literal('CronJob'), metadata: Metadata, spec: CronJobSpec })
  .meta({ id: 'CronJob', description: 'starts runs at times, or after other CronJobs' })
const FileName = z.string().regex(/^(?!\.$|\.\.)[-._a-zA-Z0-9]{1,253}$/, 'must be a file name')
export const ConfigMap = z
  .strictObject({
    apiVersion,
    kind: z.literal('ConfigMap'),
    metadata: Metadata,
    data: z.record(FileName, z.string().max(262_144)).default({}),
  })
  .meta({ id: 'ConfigMap', description: 'data for environments and files; a change rolls its users' })
const SecretKey = FileName.regex(/\D/, 'must not be a number: it would lose its place among the others')
const Encrypted = z.record(SecretKey, z.string({ error: 'must be text, in quotes' }).max(524_288)).default({})
export const Secret = z
  .strictObject({
    apiVersion,
    kind: z.literal('Secret'),
    metadata: Metadata,
    type: z.literal('Opaque').default('Opaque'),
    data: Encrypted.meta({ description: 'text in base64, encrypted' }),
    stringData: Encrypted.meta({ description: 'plain text, encrypted' }),
    sops: SopsMetadata.optional().meta({ description: 'written by `drover secret encrypt`, or by SOPS with an age key' }),
  })
  .meta({ id: 'Secret', description: 'encrypted data for environments and files; a change rolls its users' })
export type Secret = z.infer<typeof Secret>
export const App = z
  .strictObject({ apiVersion, kind: z.literal('App'), metadata: Metadata, spec: z.strictObject({ sync: SyncPolicy.prefault({}) }) })
  .meta({ id: 'App', description: 'the policy of the app whose path holds it' })

export const Manifest = z.discriminatedUnion('kind', [App, Deployment, Job, CronJob, ConfigMap, Secret])
export type Manifest = z.infer<typeof Manifest>
export type WorkloadManifest = Extract<Manifest, { kind: 'Deployment' | 'Job' | 'CronJob' }>

/**
 * Fields and kinds that the design names and this version does not run, refused by name.
 * A key is the path of the object that holds the field, with `[]` for any list index.
 */
export const PLANNED_FIELDS: Readonly<Record<string, readonly string[]>> = {
  'App.spec': ['source', 'verification'],
  'App.spec.sync': ['drift'],
  'Deployment.spec': ['paused', 'scaling'],
  'template.spec': ['initContainers'],
  'template.spec.placement': ['preferences'],
  'template.spec.volumes[]': ['hostPath', 'volume'],
  'template.spec.containers[]': ['role', 'stopSignal', 'securityContext'],
  'template.spec.processes[]': ['role', 'stopSignal', 'volumeMounts'],
}
export const PLANNED_KINDS: readonly string[] = ['Namespace', 'Service']
