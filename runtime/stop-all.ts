import { channelPair } from '../src/lib/channel-pair.ts'
import { pause } from '../src/lib/waits.ts'
import type { TaskId } from '../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../src/model/protocol.ts'
import { type AgentDeps, runAgent } from './agent.ts'
import { ownedByDriver } from './recover.ts'
import type { Uplink } from './uplink.ts'

const LOOK_AGAIN_MS = 100

/**
 * Stops and removes every task this agent owns: it is run with orders that hold no task, so what a lost
 * assignment would do happens to all. Resolves with the number of tasks there were, when nothing is left.
 */
export async function stopAll(deps: Omit<AgentDeps, 'uplink'>, signal: AbortSignal): Promise<number> {
  const before = new Set(await ownedTasks(deps))
  for (const entry of (await deps.journal.load()).entries) before.add(entry.state.task)
  const over = new AbortController()
  const running = runAgent({ ...deps, uplink: emptyOrders }, AbortSignal.any([signal, over.signal]))
  while (!signal.aborted && !(await isEmpty(deps))) await pause(deps.clock, LOOK_AGAIN_MS, signal)
  over.abort()
  await running
  return before.size
}

async function isEmpty(deps: Omit<AgentDeps, 'uplink'>): Promise<boolean> {
  if ((await deps.journal.load()).entries.length > 0) return false
  return (await ownedTasks(deps)).length === 0
}

async function ownedTasks({ drivers, log }: Omit<AgentDeps, 'uplink'>): Promise<TaskId[]> {
  const owned = await ownedByDriver(drivers, log)
  return owned.flatMap(({ refs }) => refs.map((ref) => ref.task))
}

/** A control plane that wants nothing. */
const emptyOrders: Uplink = {
  async connect() {
    const { a: agentEnd, b: serverEnd } = channelPair<AgentFrame, ServerFrame>()
    void obey()
    return agentEnd

    async function obey(): Promise<void> {
      for await (const frame of serverEnd.frames()) {
        if (frame.type === 'hello') serverEnd.send({ type: 'assignments', epoch: frame.epoch, full: true, tasks: [], gone: [] })
      }
    }
  },
  fetchTree: () => Promise.reject(new Error('no task is to be started')),
  sendLogs: () => Promise.reject(new Error('nobody reads logs now')),
}
