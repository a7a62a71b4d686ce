import { channelPair } from '../src/lib/channel-pair.ts'
import { pause } from '../src/lib/waits.ts'
import type { TaskId } from '../src/model/ids.ts'
import type { AgentFrame, Assignment, ServerFrame } from '../src/model/protocol.ts'
import { type AgentDeps, runAgent } from './agent.ts'
import type { AttemptRef, Driver } from './driver.ts'
import { ownedByDriver } from './recover.ts'
import type { Uplink } from './uplink.ts'

const LOOK_AGAIN_MS = 100
/** So long it may take without a word: most tasks' grace is shorter. */
const SAY_EVERY_LOOKS = 100

type Stopping = Omit<AgentDeps, 'uplink'> & { readonly waiting: (left: number) => void }

/**
 * Stops every task this agent owns, and removes every trace of them but the journal's, which the next agent tells
 * the control plane: how they ended is not lost. Resolves with the number of tasks that were stopped.
 */
export async function stopAll(deps: Stopping, signal: AbortSignal): Promise<number> {
  const { entries } = await deps.journal.load()
  const running = entries.filter((entry) => entry.state.life.phase !== 'Ended').map((entry) => entry.state.task)
  const before = new Set([...running, ...(await strays(deps))])
  const over = new AbortController()
  const orders = entries.map(({ assignment }): Assignment => ({ ...assignment, desired: 'stop', generation: assignment.generation + 1 }))
  const agent = runAgent({ ...deps, uplink: ordering(orders) }, AbortSignal.any([signal, over.signal]))
  await untilNone(deps, signal, async () => (await unended(deps)) + (await strays(deps)).length)
  over.abort()
  await agent
  await untilNone(deps, signal, () => removeTraces(deps))
  return before.size
}

/** Looks again until nothing is left, and says now and then how much still is. */
async function untilNone(deps: Stopping, signal: AbortSignal, leftNow: () => Promise<number>): Promise<void> {
  for (let look = 1; !signal.aborted; look += 1) {
    const left = await leftNow()
    if (left === 0) return
    if (look % SAY_EVERY_LOOKS === 0) deps.waiting(left)
    await pause(deps.clock, LOOK_AGAIN_MS, signal)
  }
}

async function unended({ journal }: Stopping): Promise<number> {
  return (await journal.load()).entries.filter((entry) => entry.state.life.phase !== 'Ended').length
}

/** Tasks on the machine that the journal does not know; the agent sweeps them as orphans. */
async function strays(deps: Stopping): Promise<TaskId[]> {
  const known = new Set((await deps.journal.load()).entries.map((entry) => entry.state.task))
  return (await owned(deps)).map(({ ref }) => ref.task).filter((task) => !known.has(task))
}

/** What is left of ended attempts: containers, folders, logs. Returns how many there were to remove. */
async function removeTraces(deps: Stopping): Promise<number> {
  const all = await owned(deps)
  for (const { driver, ref } of all) await driver.remove(ref)
  return all.length
}

async function owned({ drivers, log }: Stopping): Promise<{ driver: Driver; ref: AttemptRef }[]> {
  const found = await ownedByDriver(drivers, log)
  return found.flatMap(({ driver, refs }) => refs.map((ref) => ({ driver: drivers[driver], ref })))
}

/** A control plane that wants nothing but these orders obeyed; it acknowledges nothing, for it keeps nothing. */
function ordering(orders: readonly Assignment[]): Uplink {
  return {
    async connect() {
      const { a: agentEnd, b: serverEnd } = channelPair<AgentFrame, ServerFrame>()
      const obey = async (): Promise<void> => {
        for await (const frame of serverEnd.frames()) {
          if (frame.type === 'hello') serverEnd.send({ type: 'assignments', epoch: frame.epoch, full: true, tasks: [...orders], gone: [] })
        }
      }
      obey().catch((error: unknown) => serverEnd.close(String(error)))
      return agentEnd
    },
    fetchTree: () => Promise.reject(new Error('no task is to be started')),
    sendLogs: () => Promise.reject(new Error('nobody reads logs now')),
  }
}
