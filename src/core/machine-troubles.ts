import type { DeploymentSpec } from '../model/manifest.ts'
import { type Reason, reasonOf } from '../model/reason.ts'
import { replaceAfter } from '../model/unreachable.ts'
import { unreachable } from './given-up.ts'
import { isWanted, type MachineTrouble, type TaskState } from './task-state.ts'
import type { WorkloadState } from './workload.ts'

/** Why nothing is replaced for the time being. */
export const REPLACEMENT_PAUSED = 'ReplacementPaused'

interface MachineTroubles {
  readonly reasons: readonly Reason[]
  /** Nobody serves in a task's place, and nothing is done about it. */
  readonly sounds: boolean
}

/** What a Deployment suffers from its machines: drained ones that its tasks leave, and silent ones. */
export function machineTroubles({ tasks, machines, version }: WorkloadState): MachineTroubles {
  const of = (trouble: MachineTrouble): TaskState[] => tasks.filter((state) => state.machine === trouble && isWanted(state))
  const leaving = of('Leaving')
  const absent = of('Absent')
  const silent = of('Silent')
  const waits = machines.replacement === 'Paused' || (version.kind === 'Deployment' && isKept(version.spec))
  return {
    reasons: [
      ...byMachine(absent, 'its tasks are replaced'),
      ...byMachine(silent, waits ? 'its tasks are waited for' : 'its tasks are replaced if that lasts'),
      ...(silent.length > 0 && machines.replacement === 'Paused' ? [paused()] : []),
      ...(leaving.length > 0 ? [reasonOf('Draining', 'moves away from machines that are drained', leaving.length)] : []),
    ],
    sounds: silent.length > 0 && waits,
  }
}

export const paused = (): Reason =>
  reasonOf(REPLACEMENT_PAUSED, 'most machines fell silent at once, so that nothing is replaced until they are heard of again')

const isKept = ({ mode, template }: DeploymentSpec): boolean =>
  mode === 'Global' || replaceAfter(template.spec.unreachable, 'Deployment') === null

/** One reason, whatever the number of machines: the first is named. */
function byMachine(states: readonly TaskState[], consequence: string): Reason[] {
  const [first] = states
  if (first?.task.agent == null) return []
  const { code, message } = unreachable(first.task.agent)
  return [reasonOf(code, `${message}; ${consequence}`, states.length)]
}
