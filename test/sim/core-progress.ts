import { isLive, isTerminal, type TaskState } from '../../src/core/task-state.ts'
import type { AgentId, WorkloadKey } from '../../src/model/ids.ts'
import { APP } from './control-node.ts'
import type { Core } from './heal.ts'
import { isRunning } from './ledger.ts'
import { NEW_WORKLOAD } from './operations.ts'
import { about, appTroubles, isExcused, leads, machineTroubles, memoryTroubles } from './settled.ts'
import type { Trouble } from './violation.ts'
import type { ControlNode, World } from './world.ts'

/**
 * What a healed core has not yet come to, while the rest of the world stays broken. Nothing is expected of what is placed
 * on a broken machine, nor of a workload as a whole that has something there: today a Deployment waits for such a machine.
 */
export async function checkCore(world: World, core: Core): Promise<Trouble[]> {
  const leader = [...core.controls].find((node) => leads(node))
  if (leader?.control == null) return about('CoreGetsOn', ['nobody of the core leads'])
  const app = leader.control.plane.apps().find(({ name }) => name === APP)
  if (app === undefined) return about('CoreGetsOn', ['the app is not there'])
  const ids = new Set([...core.agents].map(({ id }) => id))
  const troubles = [
    ...about('CoreGetsOn', appTroubles(world, app)),
    ...about('CoreGetsOn', strangers(leader, ids)),
    ...about('CoreGetsOn', taskTroubles(world, ids)),
    ...about('CoreGetsOn', newTroubles(world, ids)),
    ...about('MemoryIsStore', memoryTroubles(world, leader)),
  ]
  return troubles.length > 0 ? troubles : machineTroubles(world, core.agents)
}

/** Of the core nobody is silent. */
function strangers({ control }: ControlNode, ids: ReadonlySet<AgentId>): string[] {
  const ready = new Set((control?.plane.agents() ?? []).flatMap(({ id, status }) => (status === 'Ready' ? [id] : [])))
  return [...ids].filter((id) => !ready.has(id)).map((id) => `${id} is healed and not Ready`)
}

/** Each order is obeyed, and whatever may go anywhere has found a place. */
function taskTroubles(world: World, ids: ReadonlySet<AgentId>): string[] {
  const { mirror, ledger, scheduler } = world
  return [...mirror.table('tasks').values()].flatMap((task): string[] => {
    const state: TaskState = { task, observed: mirror.table('observed').get(task.id) }
    if (isTerminal(state)) return []
    if (task.agent === null) return task.desired === 'stop' || !mayGoTo(task.slot, ids, world) ? [] : [`${task.id} waits for a machine`]
    if (!ids.has(task.agent)) return []
    if (task.desired === 'stop') return [`${task.id} was told to stop on ${task.agent} and has not`]
    const runs = ledger.of(task.id).some((one) => one.agent.id === task.agent && isRunning(one, scheduler.now))
    return runs || isExcused(task.workload, world, new Set()) ? [] : [`${task.id} is to run on ${task.agent} and does not`]
  })
}

/** A slot that is a machine is bound to it. */
function mayGoTo(slot: string, ids: ReadonlySet<AgentId>, { agents }: World): boolean {
  return ids.has(slot as AgentId) || !agents.some(({ id }) => id === slot)
}

/** What git wants for the first time now runs, wherever no broken machine was given a part of it. */
function newTroubles({ mirror, ledger, scheduler }: World, ids: ReadonlySet<AgentId>): string[] {
  const key = `default/Deployment/${NEW_WORKLOAD}` as WorkloadKey
  if (!mirror.table('workloads').has(key)) return [`${key} is in git and not in the store`]
  const live = mirror.tasksOf(key).filter(isLive)
  const serving = live.filter(({ task, observed }) => {
    if (task.agent !== null && !ids.has(task.agent)) return true
    return observed?.ready === true && ledger.of(task.id).some((one) => isRunning(one, scheduler.now))
  })
  return serving.length === 2 ? [] : [`${key} serves with ${serving.length} of 2 tasks`]
}
