import type { CronJobSpec, JobSpec, RunSpec } from '../model/batch.ts'
import { BODY_PATH } from '../model/body.ts'
import type { WorkloadManifest } from '../model/manifest.ts'
import { parseSchedule } from './cron.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { broken, type Written } from './rule.ts'

const meaningless = (path: Path, beside: string, hint = 'remove it'): Located => broken(path, `has no meaning ${beside}`, hint)

/** What each attempt tells by itself can only be judged where no agent restarts it in between. */
export function failureRules(manifest: WorkloadManifest): Located[] {
  if (manifest.kind === 'Deployment') return []
  const [spec, at] = manifest.kind === 'Job' ? [manifest.spec, BODY_PATH.Job] : [manifest.spec.jobTemplate.spec, BODY_PATH.CronJob]
  return [...needsNever(spec, at), ...needsIndexes(spec, at)]
}

function needsNever(spec: RunSpec, at: Path): Located[] {
  if (spec.template.spec.restartPolicy === 'Never') return []
  const fields = (['taskFailurePolicy', 'backoffLimitPerIndex'] as const).filter((field) => spec[field] !== undefined)
  return fields.map((field) =>
    broken(
      [...at, field],
      'needs restartPolicy: Never',
      'say so in template.spec: a task that is restarted in place is not judged by each attempt',
    ),
  )
}

function needsIndexes({ completionMode, mode, backoffLimitPerIndex, taskFailurePolicy }: RunSpec, at: Path): Located[] {
  if (completionMode === 'Indexed' && mode === 'Replicated') return []
  const path = [...at, 'backoffLimitPerIndex']
  const limit =
    backoffLimitPerIndex === undefined ? [] : [broken(path, 'needs completionMode: Indexed', 'use backoffLimit, or number the tasks')]
  const ruled = (taskFailurePolicy?.rules ?? []).flatMap(({ action }, index) =>
    action === 'FailIndex'
      ? [broken([...at, 'taskFailurePolicy', 'rules', index, 'action'], 'is FailIndex, which needs completionMode: Indexed', 'use FailJob')]
      : [],
  )
  return [...limit, ...ruled]
}

/** Exactly one of a schedule and parents, and one that comes at some time. */
export function cronSchedule(manifest: WorkloadManifest): Located[] {
  if (manifest.kind !== 'CronJob') return []
  const { schedule, after, timeZone, missedRuns, concurrencyPolicy } = manifest.spec
  if ((schedule === undefined) === (after === undefined)) {
    const clause = 'needs exactly one of schedule and after'
    return [broken(['spec'], clause, 'schedule says when, after names the CronJobs whose success starts it')]
  }
  const clash =
    missedRuns === 'RunAll' && concurrencyPolicy === 'Replace'
      ? [broken(['spec', 'missedRuns'], 'is RunAll beside concurrencyPolicy: Replace, which would end each by the next', 'use RunLatest')]
      : []
  if (schedule === undefined) return clash
  const parsed = parseSchedule(schedule, timeZone)
  return parsed.ok ? clash : [...clash, broken(['spec', parsed.field], parsed.message, parsed.hint)]
}

/** Fields of a Job or of a CronJob's runs that others leave without meaning. */
export function idleInRun(spec: RunSpec, at: Path, written: Written): Located[] {
  const global = ['completions', 'parallelism', 'completionMode'].map((field): Path => [...at, field])
  const perIndex: Path = [...at, 'backoffLimit']
  const failed: Path = [...at, 'maxFailedIndexes']
  return [
    ...(spec.mode === 'Global' ? global.filter(written).map((path) => meaningless(path, 'with mode: Global')) : []),
    ...(spec.backoffLimitPerIndex !== undefined && written(perIndex)
      ? [meaningless(perIndex, 'beside backoffLimitPerIndex', 'remove it; maxFailedIndexes bounds the run')]
      : []),
    ...(spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined && !failsIndexes(spec)
      ? [meaningless(failed, 'without backoffLimitPerIndex or a rule FailIndex')]
      : []),
  ]
}

const failsIndexes = ({ taskFailurePolicy }: RunSpec): boolean =>
  taskFailurePolicy?.rules.some(({ action }) => action === 'FailIndex') ?? false

/** Two fields that say the opposite of each other. */
export function idleInJob({ runPolicy, onRevert }: JobSpec): Located[] {
  if (runPolicy !== 'OncePerSpec' || onRevert !== 'Run') return []
  return [broken(['spec', 'onRevert'], 'is Run beside runPolicy: OncePerSpec, which never runs the same again', 'set runPolicy: OnChange')]
}

const ONLY_ON_SCHEDULE: readonly (keyof CronJobSpec)[] = ['timeZone', 'startingDeadlineSeconds', 'missedRuns']

export function idleInCronJob({ after }: CronJobSpec, written: Written): Located[] {
  if (after === undefined) return []
  return ONLY_ON_SCHEDULE.map((field): Path => ['spec', field])
    .filter(written)
    .map((path) => meaningless(path, 'without a schedule'))
}
