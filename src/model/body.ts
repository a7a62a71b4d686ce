import type { CronJobSpec, JobSpec, RunSpec } from './batch.ts'
import type { WorkloadKind } from './ids.ts'
import type { DeploymentSpec } from './manifest.ts'

/** A workload as its kind spells it. */
type Workload =
  | { readonly kind: 'Deployment'; readonly spec: DeploymentSpec }
  | { readonly kind: 'Job'; readonly spec: JobSpec }
  | { readonly kind: 'CronJob'; readonly spec: CronJobSpec }

/** The part of a spec that holds the template; a CronJob's is that of its runs. */
export function bodyOf(workload: Workload): DeploymentSpec | RunSpec {
  return workload.kind === 'CronJob' ? workload.spec.jobTemplate.spec : workload.spec
}

/** Where that part is in a manifest. */
export const BODY_PATH: Readonly<Record<WorkloadKind, readonly string[]>> = {
  Deployment: ['spec'],
  Job: ['spec'],
  CronJob: ['spec', 'jobTemplate', 'spec'],
}
