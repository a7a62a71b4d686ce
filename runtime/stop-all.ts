import { channelPair } from '../src/lib/channel-pair.ts'
import { pause } from '../src/lib/waits.ts'
import type { TaskId } from '../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../src/model/protocol.ts'
import { type AgentDeps, runAgent } from './agent.ts'
import { ownedByDriver } from './recover.ts'
import type { Uplink } from './uplink.ts'

const LOOK_AGAIN_MS = 100
/** So long it may take without a word: most tasks' grace is shorter. */
const SAY_EVERY_LOOKS = 100

type Stopping = Omit<AgentDeps, 'uplink'> & { readonly waiting: (left: number) => void }

/**
 * Stops and removes every task this agent owns: it is run with orders that hold no task, so what a lost
 * assignment would do happens to all. Resolves with the number of tasks there were, when nothing is left.
 */
export async function stopAll(deps: Stopping, signal: AbortSignal): Promise<number> {
  const before = await tasksLeft(deps)
  const over = new AbortController()
  const running = runAgent({ ...deps, uplink: emptyOrders }, AbortSignal.any([signal, over.signal]))
  for (let look = 1; !signal.aborted; look += 1) {
    const left = await tasksLeft(deps)
    if (left === 0) break
    if (look % SAY_EVERY_LOOKS === 0) deps.waiting(left)
    await pause(deps.clock, LOOK_AGAIN_MS, signal)
  }
  over.abort()
  await running
  return before
}

/** What the journal knows and what the drivers find, together. */
async function tasksLeft(deps: Stopping): Promise<number> {
  const journaled = (await deps.journal.load()).entries.map((entry) => entry.state.task)
  return new Set([...journaled, ...(await ownedTasks(deps))]).size
}

async function ownedTasks({ drivers, log }: Stopping): Promise<TaskId[]> {
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
