import { type WorkloadKey, type WorkloadKind, workloadKey } from '../../src/model/ids.ts'
import { API_VERSION } from '../../src/model/manifest.ts'
import { unreachableOf } from './unreachable.ts'

/** The folder of the repository that the simulated app follows. */
export const APP_PATH = 'app'

export interface Script {
  readonly runForSeconds?: number
  readonly exitCode?: number
  readonly failStart?: boolean
  readonly readyAfterSeconds?: number
  readonly crashAfterSeconds?: number
  readonly unhealthyAfterSeconds?: number
}

/** Steps of a canary, as the manifest has them. */
export interface CanaryModel {
  readonly steps: readonly (
    | { readonly percent: number; readonly pauseSeconds: number }
    | { readonly percent: number; readonly manual: true }
  )[]
  readonly autoPromote: boolean
}

export interface WorkloadModel {
  readonly kind: WorkloadKind
  readonly name: string
  readonly image: number
  readonly replicas: number
  readonly mode: 'Replicated' | 'Global'
  readonly strategy: 'RollingUpdate' | 'Recreate'
  readonly maxSurge: number
  readonly maxUnavailable: number
  readonly minReadySeconds: number
  readonly progressDeadlineSeconds: number
  readonly onFailure: 'Rollback' | 'Hold' | 'Continue'
  readonly canary: CanaryModel | null
  /** Asks its tasks; on the fake driver the script answers. */
  readonly probed: boolean
  readonly completions: number
  readonly parallelism: number
  readonly backoffLimit: number
  readonly runPolicy: 'OncePerSpec' | 'OnChange' | 'EveryRevision'
  readonly exclusive: boolean
  /** Of a Job or a CronJob: after what silence of a machine its task counts as lost; null: it is waited for. */
  readonly replaceAfterSeconds: number | null
  readonly suspend: boolean
  /** Of a CronJob: seconds between its slots, or what it comes after. */
  readonly everySeconds: number
  readonly after: readonly string[]
  readonly concurrencyPolicy: 'Allow' | 'Forbid' | 'Replace'
  readonly missedRuns: 'Skip' | 'RunLatest' | 'RunAll'
  readonly dependsOn: readonly { readonly kind: 'Deployment' | 'Job'; readonly name: string }[]
  readonly script: Script | null
  /** Ships the folder `code/NAME` of the repository. */
  readonly ships: boolean
}

/** `Field`: a field that nobody knows. `Syntax`: no YAML at all, so nobody can tell what it was meant to be. */
type Breakage = 'Field' | 'Syntax'

/** What one commit says, as the author meant it: the truth that Drover's behaviour is compared with. */
export interface RepoModel {
  readonly workloads: ReadonlyMap<WorkloadKey, WorkloadModel>
  readonly broken: ReadonlyMap<WorkloadKey, Breakage>
  /** `Missing`: the folder is gone. `Empty`: it is there and holds no manifest. */
  readonly folder: 'Present' | 'Empty' | 'Missing'
  /** Most workloads that one revision may remove; null: the default policy. */
  readonly budget: { readonly count: number; readonly percent: number } | null
  /** A revision stands or falls as a whole. */
  readonly atomic: boolean
  /** Version of every shipped folder. */
  readonly code: number
}

export const EMPTY_REPO: RepoModel = { workloads: new Map(), broken: new Map(), folder: 'Present', budget: null, atomic: false, code: 1 }

export const keyOf = (workload: Pick<WorkloadModel, 'kind' | 'name'>): WorkloadKey => workloadKey('default', workload.kind, workload.name)

/** Everything that decides what a running task is; a change of nothing else may restart it. */
export function templateText(workload: WorkloadModel, code: number): string {
  const shape = workload.kind === 'Deployment' ? null : workload.completions
  return JSON.stringify({ template: template(workload), shape, code: workload.ships ? code : null })
}

const PROBES = {
  readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 1, failureThreshold: 2 },
  livenessProbe: { tcpSocket: { port: 80 }, periodSeconds: 2, initialDelaySeconds: 15 },
}

function template(workload: WorkloadModel) {
  const { name, image, script, ships, kind, probed, replaceAfterSeconds } = workload
  const fake = { ...(script === null ? {} : { fake: script }), ...(probed && kind === 'Deployment' ? PROBES : {}) }
  const program = { name: 'main', command: ['run', `v${image}`], artifacts: [{ git: `code/${name}` }], ...fake }
  const container = { name: 'main', image: `${name}:${image}`, resources: { requests: { cpu: '50m' } }, ...fake }
  const ofRuns = replaceAfterSeconds === null ? {} : { unreachable: { replaceAfterSeconds } }
  const unreachable = kind === 'Deployment' ? unreachableOf(workload) : ofRuns
  return {
    spec: {
      driver: 'fake',
      ...unreachable,
      terminationGracePeriodSeconds: 5,
      ...(kind === 'Deployment' ? {} : { restartPolicy: 'OnFailure' }),
      ...(ships ? { processes: [program] } : { containers: [container] }),
    },
  }
}

function specOf(workload: WorkloadModel) {
  const dependsOn = workload.dependsOn.map((target) => ({ ...target, condition: target.kind === 'Job' ? 'Complete' : 'Available' }))
  const shared = { dependsOn, template: template(workload) }
  if (workload.kind === 'Job') {
    const { runPolicy, suspend } = workload
    return { ...runOf(workload), runPolicy, suspend, ...shared }
  }
  if (workload.kind === 'CronJob') return cronOf(workload, dependsOn)
  const { mode, replicas, minReadySeconds, progressDeadlineSeconds, onFailure, canary, maxSurge, maxUnavailable } = workload
  const steps = canary === null || workload.strategy === 'Recreate' ? {} : { canary }
  return {
    mode,
    replicas,
    ...{ minReadySeconds, progressDeadlineSeconds, onFailure },
    strategy: { type: workload.strategy, ...rolling(workload.strategy, maxSurge, maxUnavailable), ...steps },
    ...shared,
  }
}

const runOf = ({ completions, parallelism, backoffLimit, exclusive }: WorkloadModel) => ({
  completions,
  parallelism,
  backoffLimit,
  exclusive,
})

function cronOf(workload: WorkloadModel, dependsOn: readonly object[]) {
  const { after, everySeconds, concurrencyPolicy, missedRuns, suspend } = workload
  const times =
    after.length > 0
      ? { after }
      : { schedule: `*/${everySeconds} * * * * *`, missedRuns: concurrencyPolicy === 'Replace' ? 'RunLatest' : missedRuns }
  return { ...times, concurrencyPolicy, suspend, dependsOn, jobTemplate: { spec: { ...runOf(workload), template: template(workload) } } }
}

function rolling(strategy: WorkloadModel['strategy'], maxSurge: number, maxUnavailable: number) {
  return strategy === 'Recreate' ? {} : { rollingUpdate: { maxSurge, maxUnavailable } }
}

function manifestText(workload: WorkloadModel, breakage: Breakage | undefined): string {
  const { kind, name } = workload
  const manifest = { apiVersion: API_VERSION, kind, metadata: { name }, spec: specOf(workload) }
  if (breakage === 'Syntax') return `${JSON.stringify(manifest)}\n]: {`
  return JSON.stringify(breakage === 'Field' ? { ...manifest, spce: {} } : manifest)
}

/** The files of a commit, by path from the repository's root. */
export function filesOf(repo: RepoModel): ReadonlyMap<string, string> {
  const files = new Map<string, string>([['README.md', 'a simulated repository']])
  for (const { name } of repo.workloads.values()) files.set(`code/${name}/main.py`, `code of ${name}, version ${repo.code}`)
  if (repo.folder === 'Missing') return files
  files.set(`${APP_PATH}/README.md`, 'manifests')
  if (repo.folder === 'Empty') return files
  for (const [key, workload] of repo.workloads) {
    files.set(`${APP_PATH}/${workload.kind.toLowerCase()}-${workload.name}.yaml`, manifestText(workload, repo.broken.get(key)))
  }
  if (repo.budget !== null || repo.atomic) {
    const budget = repo.budget === null ? {} : { deletionBudget: repo.budget }
    const sync = { ...budget, ...(repo.atomic ? { atomic: true, deadlineSeconds: 240 } : {}) }
    const app = { apiVersion: API_VERSION, kind: 'App', metadata: { name: 'demo' }, spec: { sync } }
    files.set(`${APP_PATH}/drover.yaml`, JSON.stringify(app))
  }
  return files
}
