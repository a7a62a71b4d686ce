import type { Write } from '../model/records.ts'
import type { Observed, Task } from '../model/task.ts'
import { mayFollow, TERMINAL } from '../model/task.ts'
import { mostLive } from './rollout/pace.ts'
import { isLive } from './task-state.ts'
import type { WorkloadState } from './workload.ts'

/** Something that must never be true; the message names the objects. */
export interface Violation {
  readonly invariant: string
  readonly message: string
}

/** What one write may not do to what stood there before; cheap enough for every commit. */
export function writeViolations(write: Write, before: { task: Task | undefined; observed: Observed | undefined }): Violation[] {
  if (write.value === null) return []
  if (write.table === 'tasks' && before.task !== undefined) return taskViolations(before.task, write.value)
  if (write.table === 'observed' && before.observed !== undefined) return observedViolations(before.observed, write.value)
  return []
}

/** A task is immutable but for its one placement and the way from run to stop. */
function taskViolations(before: Task, after: Task): Violation[] {
  const found: Violation[] = []
  if (before.desired === 'stop' && after.desired === 'run')
    found.push({ invariant: 'DesiredForward', message: `task ${after.id} would run again after it was told to stop` })
  if (before.agent !== null && before.agent !== after.agent)
    found.push({ invariant: 'PlacedOnce', message: `task ${after.id} would move from ${before.agent} to ${after.agent}` })
  if (before.templateDigest !== after.templateDigest)
    found.push({ invariant: 'TaskImmutable', message: `task ${after.id} would change its template` })
  if (after.generation < before.generation)
    found.push({ invariant: 'GenerationForward', message: `task ${after.id} would go back to generation ${after.generation}` })
  return found
}

/** A terminal state is final, and an attempt has one terminal record which never changes. */
function observedViolations(before: Observed, after: Observed): Violation[] {
  const found: Violation[] = []
  if (TERMINAL.has(before.phase) ? after.phase !== before.phase : !mayFollow(before, after)) {
    found.push({
      invariant: 'ObservedForward',
      message: `task ${after.task} would go from ${before.attempt}/${before.phase} to ${after.attempt}/${after.phase}`,
    })
  }
  for (const attempt of after.attempts) {
    const known = before.attempts.find((record) => record.attempt === attempt.attempt)
    if (known !== undefined && (known.exitCode !== attempt.exitCode || known.reason !== attempt.reason)) {
      found.push({
        invariant: 'OneTerminalRecord',
        message: `attempt ${attempt.attempt} of ${after.task} would end twice: ${known.reason}, ${attempt.reason}`,
      })
    }
  }
  return found
}

/** What a decision about one workload may not lead to. */
export function decisionViolations(state: WorkloadState, writes: readonly Write[]): Violation[] {
  const stopped = new Set(writes.flatMap((write) => (endsTask(write) ? [write.id] : [])))
  const known = new Set<string>(state.tasks.map(({ task }) => task.id))
  const created = writes.flatMap((write) => (write.table === 'tasks' && write.value !== null && !known.has(write.id) ? [write.value] : []))
  const staying = state.tasks.filter((task) => isLive(task) && !stopped.has(task.task.id))
  // One that is to leave its machine has its successor beside it.
  const inPlace = staying.filter(({ machine }) => machine !== 'Leaving').map(({ task }) => task)
  if (created.length === 0) return []
  return [...slotViolations(state, [...inPlace, ...created]), ...surgeViolations(state, staying.length + created.length)]
}

/** It is told to stop, forgotten, or taken for lost. */
function endsTask(write: Write): boolean {
  if (write.table === 'observed') return write.value !== null && TERMINAL.has(write.value.phase)
  return write.table === 'tasks' && (write.value === null || write.value.desired === 'stop')
}

function slotViolations(state: WorkloadState, live: readonly Task[]): Violation[] {
  const places = live.map((task) => `${task.run ?? ''} ${task.slot} ${task.templateDigest}`)
  const seen = new Set<string>()
  const twice = places.find((place) => seen.size === seen.add(place).size)
  if (twice === undefined) return []
  return [
    {
      invariant: 'OneTaskPerSlot',
      message: `${state.record.key} would have two live tasks of one template in slot ${twice.split(' ')[1]}`,
    },
  ]
}

function surgeViolations(state: WorkloadState, live: number): Violation[] {
  if (state.version.kind !== 'Deployment') return []
  const most = mostLive(state, state.version.spec)
  if (live <= most) return []
  return [{ invariant: 'NeverAboveSurge', message: `${state.record.key} would have ${live} live tasks, at most ${most} may be` }]
}
