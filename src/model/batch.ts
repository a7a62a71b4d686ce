import { z } from 'zod'
import { DependsOn } from './depends-on.ts'
import { Name } from './ids.ts'
import { Template } from './template.ts'

const Seconds = z.int().min(1).max(31_536_000)

const FailureRule = z
  .strictObject({
    action: z.enum(['FailJob', 'FailIndex', 'Ignore', 'Count']).meta({
      description:
        'FailJob: the run has failed; FailIndex: no retry of this index; Ignore: a retry that is not counted; Count: as without a rule',
    }),
    onExitCodes: z.strictObject({ operator: z.enum(['In', 'NotIn']), values: z.array(z.int().min(0).max(255)).min(1).max(255) }).optional(),
    onReasons: z
      .array(z.string().regex(/^[A-Z][A-Za-z0-9]{0,63}$/, 'must be a reason as `drover get runs` shows it, for example OOMKilled'))
      .min(1)
      .max(32)
      .optional(),
  })
  .refine((rule) => (rule.onExitCodes === undefined) !== (rule.onReasons === undefined), {
    error: 'needs exactly one of onExitCodes and onReasons',
  })
export type FailureRule = z.infer<typeof FailureRule>

/** What one run is: the fields that Jobs and CronJobs share. */
const run = {
  mode: z.enum(['Replicated', 'Global']).default('Replicated').meta({ description: 'Global: one completion on each matching agent' }),
  completions: z.int().min(1).max(100_000).default(1),
  parallelism: z.int().min(1).max(100_000).default(1).meta({ description: 'tasks at once' }),
  completionMode: z
    .enum(['NonIndexed', 'Indexed'])
    .default('NonIndexed')
    .meta({ description: 'Indexed: each task is told its number as DROVER_INDEX' }),
  backoffLimit: z.int().min(0).max(1000).default(6).meta({ description: 'failed attempts allowed, over restarts and placements together' }),
  backoffLimitPerIndex: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .meta({ description: 'the same for each index by itself, instead of backoffLimit' }),
  maxFailedIndexes: z
    .int()
    .min(0)
    .max(5000)
    .optional()
    .meta({ description: 'failed indexes beside which the run goes on; all, when absent' }),
  taskFailurePolicy: z
    .strictObject({ rules: z.array(FailureRule).min(1).max(20) })
    .optional()
    .meta({ description: 'what a failed attempt means, by exit code or reason; the first rule that fits' }),
  activeDeadlineSeconds: Seconds.optional().meta({ description: 'how long a run may take from its start' }),
  ttlSecondsAfterFinished: z
    .int()
    .min(0)
    .max(315_360_000)
    .optional()
    .meta({ description: 'how long a finished run and its logs are kept; that it ran is never forgotten' }),
  exclusive: z.boolean().default(false).meta({ description: 'no index has two attempts running, of whatever run' }),
  template: Template,
}

const RunSpec = z.strictObject(run)
/** What decides how one run goes. Everything but `template`, `mode`, `completions` and `completionMode` may change while it does. */
export type RunSpec = z.infer<typeof RunSpec>

export const JobSpec = z.strictObject({
  ...run,
  suspend: z.boolean().default(false).meta({ description: 'stops what runs of it and starts nothing, until it is false again' }),
  runPolicy: z
    .enum(['OncePerSpec', 'OnChange', 'EveryRevision'])
    .default('OncePerSpec')
    .meta({ description: 'OncePerSpec: what ran to an end never runs again; OnChange: for each change; EveryRevision: for each commit' }),
  onRevert: z
    .enum(['Skip', 'Run', 'Block'])
    .optional()
    .meta({ description: 'when git comes back to what ran before; Skip for OncePerSpec, else Run. Block: `drover run` decides' }),
  dependsOn: z.array(DependsOn).default([]),
})
export type JobSpec = z.infer<typeof JobSpec>

export const CronJobSpec = z.strictObject({
  schedule: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'minute hour day month weekday, with seconds before them if need be; or @daily and the like' }),
  timeZone: z.string().min(1).max(64).default('UTC').meta({ description: 'IANA name' }),
  after: z.array(Name).min(1).max(64).optional().meta({ description: 'instead of a schedule: CronJobs, whose success starts this one' }),
  concurrencyPolicy: z
    .enum(['Allow', 'Forbid', 'Replace'])
    .default('Forbid')
    .meta({ description: 'while a run goes on: start another, wait for its end, or end it' }),
  startingDeadlineSeconds: Seconds.optional().meta({ description: 'a run that could not start for so long is missed' }),
  missedRuns: z
    .enum(['Skip', 'RunLatest', 'RunAll'])
    .default('RunLatest')
    .meta({ description: 'what becomes of slots that passed while nothing could start' }),
  suspend: z.boolean().default(false).meta({ description: 'no slot starts a run, nor is it missed; runs under way go on' }),
  successfulJobsHistoryLimit: z.int().min(0).max(100).default(3).meta({ description: 'successful runs whose tasks and logs are kept' }),
  failedJobsHistoryLimit: z.int().min(0).max(100).default(1).meta({ description: 'failed runs whose tasks and logs are kept' }),
  dependsOn: z.array(DependsOn).default([]),
  jobTemplate: z.strictObject({ spec: RunSpec }),
})
export type CronJobSpec = z.infer<typeof CronJobSpec>
