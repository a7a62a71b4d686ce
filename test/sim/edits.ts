import type { WorkloadKey } from '../../src/model/ids.ts'
import { type CanaryModel, keyOf, type RepoModel, type Script, type WorkloadModel } from './manifests.ts'
import type { Rng } from './rng.ts'

const NAMES = ['web', 'api', 'cache', 'etl', 'feed', 'mail', 'seed', 'work'] as const

function script(kind: WorkloadModel['kind'], rng: Rng): Script | null {
  const kinds = { Job: 'JJJJFFC', CronJob: 'JJJJJF', Deployment: 'RRRRRSSCXNU' }[kind]
  switch (rng.pick([...kinds])) {
    case 'J':
      return { runForSeconds: rng.int(1, 15) }
    case 'F':
      return { runForSeconds: rng.int(1, 5), exitCode: rng.int(1, 9) }
    case 'C':
      return { crashAfterSeconds: rng.int(1, 20), exitCode: rng.int(0, 9) }
    case 'S':
      return { readyAfterSeconds: rng.int(1, 10) }
    case 'U':
      return { readyAfterSeconds: 1, unhealthyAfterSeconds: rng.int(5, 60) }
    case 'X':
      return { failStart: true }
    case 'N':
      return { readyAfterSeconds: 1_000_000 }
    default:
      return null
  }
}

/** Whether a silent machine is waited for; what must be alone waits for ever. */
function patience(rng: Rng): Pick<WorkloadModel, 'exclusive' | 'replaceAfterSeconds'> {
  const exclusive = rng.chance(0.3)
  return { exclusive, replaceAfterSeconds: !exclusive && rng.chance(0.5) ? rng.int(60, 80) : null }
}

function canary(rng: Rng): CanaryModel | null {
  if (rng.chance(0.75)) return null
  const percents = rng.pick([[34], [50, 100], [100], [25, 75]])
  const steps = percents.map((percent) =>
    rng.chance(0.2) ? { percent, manual: true as const } : { percent, pauseSeconds: rng.int(0, 10) },
  )
  return { steps, autoPromote: rng.chance(0.8) }
}

export function newWorkload(name: string, rng: Rng, mostReplicas = 4): WorkloadModel {
  const kind = rng.pick(['Deployment', 'Deployment', 'Deployment', 'Deployment', 'Job', 'Job', 'CronJob'] as const)
  return {
    kind,
    name,
    image: rng.int(1, 5),
    replicas: rng.int(1, mostReplicas),
    mode: rng.chance(0.15) ? 'Global' : 'Replicated',
    strategy: rng.chance(0.2) ? 'Recreate' : 'RollingUpdate',
    maxSurge: rng.int(0, 2),
    maxUnavailable: rng.int(0, 2),
    minReadySeconds: rng.chance(0.3) ? rng.int(1, 5) : 0,
    progressDeadlineSeconds: rng.pick([20, 45, 90]),
    onFailure: rng.pick(['Rollback', 'Rollback', 'Rollback', 'Hold', 'Continue'] as const),
    canary: canary(rng),
    probed: rng.chance(0.3),
    completions: rng.int(1, 3),
    parallelism: rng.int(1, 2),
    backoffLimit: rng.int(0, 2),
    runPolicy: rng.pick(['OncePerSpec', 'OncePerSpec', 'OnChange', 'EveryRevision'] as const),
    ...patience(rng),
    suspend: false,
    everySeconds: rng.pick([5, 10, 20, 30]),
    after: [],
    concurrencyPolicy: rng.pick(['Allow', 'Forbid', 'Replace'] as const),
    missedRuns: rng.pick(['Skip', 'RunLatest', 'RunAll'] as const),
    dependsOn: [],
    script: script(kind, rng),
    ships: rng.chance(0.2),
  }
}

/** The repository of a seed's first commit. */
export function firstModel(rng: Rng, agents: number): RepoModel {
  const names = NAMES.slice(0, rng.int(1, 6))
  // A large fleet has something to do.
  const most = Math.max(4, Math.ceil(agents / 2))
  const workloads = new Map(names.map((name) => newWorkload(name, rng, most)).map((workload) => [keyOf(workload), workload]))
  const budget = rng.chance(0.3) ? { count: 1, percent: 0 } : null
  return { workloads, broken: new Map(), folder: 'Present', budget, atomic: rng.chance(0.2), code: 1 }
}

export type Edit = (model: RepoModel, rng: Rng) => RepoModel

function editOne(change: (workload: WorkloadModel, model: RepoModel, rng: Rng) => Partial<WorkloadModel>): Edit {
  return (model, rng) => {
    if (model.workloads.size === 0) return model
    const [key, workload] = rng.pick([...model.workloads])
    return { ...model, workloads: new Map(model.workloads).set(key, { ...workload, ...change(workload, model, rng) }) }
  }
}

/** What can be said first comes first, so that nothing depends on itself. */
function earlier(workload: WorkloadModel, model: RepoModel): WorkloadModel[] {
  return [...model.workloads.values()].filter((other) => other.name < workload.name)
}

/** A graph of the simulator is two deep, so that it has no circle and one root. */
const isParent = ({ name }: WorkloadModel, model: RepoModel): boolean =>
  [...model.workloads.values()].some(({ after }) => after.includes(name))

export const changeImage: Edit = editOne((workload, _model, rng) => ({ image: workload.image + rng.int(1, 3) }))

export const EDITS: Readonly<Record<string, Edit>> = {
  image: changeImage,
  replicas: editOne((_workload, _model, rng) => ({ replicas: rng.int(0, 5) })),
  strategy: editOne((_workload, _model, rng) => ({
    strategy: rng.chance(0.3) ? 'Recreate' : 'RollingUpdate',
    maxSurge: rng.int(0, 2),
    maxUnavailable: rng.int(0, 2),
    minReadySeconds: rng.int(0, 5),
    onFailure: rng.pick(['Rollback', 'Hold', 'Continue'] as const),
    canary: canary(rng),
  })),
  probes: editOne((workload) => ({ probed: !workload.probed })),
  atomic: (model) => ({ ...model, atomic: !model.atomic }),
  script: editOne((workload, _model, rng) => ({ script: script(workload.kind, rng) })),
  depend: editOne((workload, model, rng) => {
    const targets = earlier(workload, model)
    return {
      dependsOn:
        targets.length === 0
          ? []
          : [targets[rng.int(0, targets.length - 1)] as WorkloadModel].flatMap(({ kind, name }) =>
              kind === 'CronJob' ? [] : [{ kind, name }],
            ),
    }
  }),
  suspend: editOne((workload) => ({ suspend: !workload.suspend })),
  schedule: editOne((_workload, _model, rng) => ({
    everySeconds: rng.pick([5, 10, 20, 30]),
    concurrencyPolicy: rng.pick(['Allow', 'Forbid', 'Replace'] as const),
    missedRuns: rng.pick(['Skip', 'RunLatest', 'RunAll'] as const),
    runPolicy: rng.pick(['OncePerSpec', 'OnChange', 'EveryRevision'] as const),
  })),
  after: editOne((workload, model) => {
    const root = [...model.workloads.values()].find(
      (other) => other.kind === 'CronJob' && other.name < workload.name && other.after.length === 0,
    )
    const isNode = workload.kind === 'CronJob' && root !== undefined && workload.after.length === 0
    return { after: isNode && !isParent(workload, model) ? [root.name] : [] }
  }),
  code: (model) => ({ ...model, code: model.code + 1 }),
  add: (model, rng) => {
    const taken = new Set([...model.workloads.values()].map((workload) => workload.name))
    const free = NAMES.filter((name) => !taken.has(name))
    if (free.length === 0) return model
    const fresh = newWorkload(rng.pick(free), rng)
    return { ...model, workloads: new Map(model.workloads).set(keyOf(fresh), fresh) }
  },
  remove: (model, rng) => without(model, [...model.workloads.keys()].filter(() => rng.chance(0.3)).slice(0, 2)),
  massDelete: (model, rng) => without(model, [...model.workloads.keys()].slice(rng.int(0, 1))),
  breakOne: (model, rng) =>
    model.workloads.size === 0
      ? model
      : { ...model, broken: new Map(model.broken).set(rng.pick([...model.workloads.keys()]), rng.chance(0.5) ? 'Field' : 'Syntax') },
  mend: (model) => ({ ...model, broken: new Map(), folder: 'Present' }),
  emptyFolder: (model, rng) => ({ ...model, folder: rng.chance(0.5) ? 'Empty' : 'Missing' }),
}

function without(model: RepoModel, keys: readonly WorkloadKey[]): RepoModel {
  const gone = new Set(keys)
  const keep = <V>(map: ReadonlyMap<WorkloadKey, V>) => new Map([...map].filter(([key]) => !gone.has(key)))
  return { ...model, workloads: keep(model.workloads), broken: keep(model.broken) }
}
