import type { JobSpec } from '../model/batch.ts'
import type { CanaryStep, DeploymentSpec } from '../model/manifest.ts'
import type { WorkloadVersion } from '../model/version.ts'
import { fixedPort, rollingLimits } from './rollout/rolling.ts'

/** What a change means for tasks, in words. */

export function createNotes({ kind, spec }: WorkloadVersion): string[] {
  return kind === 'Deployment' ? failureNote(spec) : []
}

export function restartNotes(before: WorkloadVersion, after: WorkloadVersion): string[] {
  if (after.kind === 'Job') return rerunNotes(after.spec)
  if (before.kind !== 'Deployment' || after.kind !== 'Deployment')
    return ['the next run is of this version; runs under way go on as they began']
  if (before.spec.mode === 'Replicated' && before.spec.replicas === 0) return []
  return [`${restarted(before.spec, after.spec)}; ${paceOf(after.spec)}`, ...canaryNote(after.spec), ...failureNote(after.spec)]
}

export function stopNotes(version: WorkloadVersion): string[] {
  if (version.kind !== 'Deployment') return ['stops what still runs of it']
  if (version.spec.mode === 'Global') return ['stops its task on every agent']
  return version.spec.replicas === 0 ? [] : [`stops ${tasksIn(version.spec.replicas)}`]
}

function rerunNotes({ runPolicy, onRevert, suspend }: JobSpec): string[] {
  if (suspend) return ['runs once it is no longer suspended']
  if (runPolicy === 'OncePerSpec') return ['runs again, unless it ran with exactly these inputs before']
  return onRevert === 'Run' || onRevert === undefined
    ? ['runs again']
    : [`runs again; if it ran with exactly these inputs before: ${onRevert}`]
}

function restarted(before: DeploymentSpec, after: DeploymentSpec): string {
  if (before.mode === 'Global') return 'restarts its task on every matching agent'
  const tasks = before.replicas
  const { strategy, maxSurge, maxUnavailable } = rollingLimits(after, after.replicas)
  const together = strategy === 'Recreate' ? tasks : Math.min(tasks, maxSurge + maxUnavailable)
  return `restarts ${tasksIn(tasks)}, ${together === tasks ? 'all at once' : `${together} at a time`}`
}

/** Which of old and new goes first, and by how many there may be more or fewer meanwhile. */
function paceOf(spec: DeploymentSpec): string {
  if (spec.strategy.type === 'Recreate') return 'Recreate: all old tasks stop first'
  const port = fixedPort(spec)
  const { maxSurge, maxUnavailable } = amounts(spec)
  if (port !== null) return `stop-first, because of the fixed host port ${port}: up to ${maxUnavailable} may be missing`
  if (isNone(maxSurge)) return `stop-first: up to ${maxUnavailable} may be missing`
  return `start-first: up to ${maxSurge} extra, ${isNone(maxUnavailable) ? 'none' : maxUnavailable} may be missing`
}

/** Of a Global Deployment as written: how many machines match is not known here. */
function amounts(spec: DeploymentSpec): Record<'maxSurge' | 'maxUnavailable', number | string> {
  return spec.mode === 'Global' ? spec.strategy.rollingUpdate : rollingLimits(spec, spec.replicas)
}

const isNone = (amount: number | string): boolean => Number.parseInt(String(amount), 10) === 0

function canaryNote({ strategy: { canary } }: DeploymentSpec): string[] {
  if (canary === undefined) return []
  const last = canary.autoPromote ? 'then all' : 'then all after `drover promote`'
  return [`canary: ${[...canary.steps.map(stepText), last].join(', ')}`]
}

function stepText({ replicas, percent, pauseSeconds = 0, manual }: CanaryStep): string {
  const size = replicas === undefined ? `${percent}%` : String(replicas)
  if (manual) return `${size} (until \`drover promote\`)`
  return pauseSeconds === 0 ? size : `${size} (pauses ${pauseSeconds} s)`
}

/** Going back is what is expected, and needs no word. */
function failureNote({ onFailure }: DeploymentSpec): string[] {
  switch (onFailure) {
    case 'Rollback':
      return []
    case 'Hold':
      return ['on failure: stays as it is then']
    case 'Continue':
      return ['on failure: goes on trying']
  }
}

const tasksIn = (tasks: number): string => (tasks === 1 ? '1 task' : `${tasks} tasks`)
