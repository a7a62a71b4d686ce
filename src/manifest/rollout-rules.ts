import type { CanaryStep, DeploymentSpec, WorkloadManifest } from '../model/manifest.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { quote } from './problem.ts'
import { broken, type Written } from './rule.ts'

const STRATEGY: Path = ['spec', 'strategy']
const CANARY: Path = [...STRATEGY, 'canary']

const isZero = (value: number | string): boolean => value === 0 || /^0+%$/.test(String(value))

export function rollingUpdate({ kind, spec }: WorkloadManifest): Located[] {
  if (kind !== 'Deployment' || spec.strategy.type === 'Recreate') return []
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate
  if (!isZero(maxSurge) || !isZero(maxUnavailable)) return []
  return [broken([...STRATEGY, 'rollingUpdate'], 'maxSurge and maxUnavailable are both 0: an update could never move', 'set maxSurge: 1')]
}

/** Kubernetes' rule: no task could become available in time. The place is `minReadySeconds`, for its default never breaks it. */
export function progressDeadline({ kind, spec }: WorkloadManifest): Located[] {
  if (kind !== 'Deployment' || spec.progressDeadlineSeconds > spec.minReadySeconds) return []
  const clause = `must be less than progressDeadlineSeconds, which is ${spec.progressDeadlineSeconds}`
  return [broken(['spec', 'minReadySeconds'], clause, 'raise progressDeadlineSeconds, or lower it')]
}

/** With `type: Recreate` it has no meaning at all, which is told instead. */
export function canary({ kind, spec }: WorkloadManifest): Located[] {
  if (kind !== 'Deployment' || spec.strategy.canary === undefined || spec.strategy.type === 'Recreate') return []
  const { steps } = spec.strategy.canary
  return [...canaryRoom(spec), ...shrinking(steps, 'replicas'), ...shrinking(steps, 'percent'), ...excess(steps, spec)]
}

function canaryRoom({ template }: DeploymentSpec): Located[] {
  const units = template.spec.containers ?? template.spec.processes ?? []
  const fixed = units.flatMap(({ ports }) => ports).find(({ hostPort }) => hostPort !== 0)
  if (fixed === undefined) return []
  const port = `port ${quote(fixed.name)} has the fixed hostPort ${fixed.hostPort}`
  const clause = `needs room beside the old tasks, but ${port}, which forces stop-first`
  return [broken(CANARY, clause, 'remove the hostPort, so that the scheduler chooses one, or the canary')]
}

/** Replicas and percent are compared each by itself: how they compare with each other depends on the scale of the day. */
function shrinking(steps: readonly CanaryStep[], unit: 'replicas' | 'percent'): Located[] {
  let most = 0
  return steps.flatMap((step, index) => {
    const before = most
    const size = step[unit] ?? before
    most = Math.max(before, size)
    if (size >= before) return []
    return [broken([...CANARY, 'steps', index, unit], `must be at least ${before}, as in a step before it`, 'steps only grow')]
  })
}

function excess(steps: readonly CanaryStep[], { mode, replicas }: DeploymentSpec): Located[] {
  if (mode === 'Global') return []
  return steps.flatMap((step, index) => {
    if (step.replicas === undefined || step.replicas <= replicas) return []
    const clause = `must be at most ${replicas}, the replicas of this Deployment`
    return [broken([...CANARY, 'steps', index, 'replicas'], clause, 'percent follows the replicas')]
  })
}

const meaningless = (path: Path, beside: string): Located => broken(path, `has no meaning with ${beside}`, 'remove it')

/** What a Deployment says that its mode or type of update leaves no room for. */
export function idleInDeployment({ mode, strategy }: DeploymentSpec, written: Written): Located[] {
  const replicas: Path = ['spec', 'replicas']
  const found = mode === 'Global' && written(replicas) ? [meaningless(replicas, 'mode: Global')] : []
  if (strategy.type !== 'Recreate') return found
  const updates: Path[] = [[...STRATEGY, 'rollingUpdate'], CANARY]
  return [...found, ...updates.filter(written).map((path) => meaningless(path, 'type: Recreate'))]
}
