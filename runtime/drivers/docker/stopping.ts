import { messageOf, StuckError } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Containers } from './containers.ts'
import type { Engine } from './engine.ts'
import { whenStatus } from './errors.ts'
import { hasBegun, isRunning } from './exit.ts'
import { killInContainer } from './residents.ts'

export interface StoppingTools {
  readonly engine: Engine
  readonly containers: Pick<Containers, 'inspect'>
  readonly log: Logger
}

/** Brings ends about, and knows which were its own doing. */
export interface Stopping {
  /** @throws StuckError when it still runs at the deadlines, RetryableError when nobody can tell */
  stop(id: string, graceMs: Millis): Promise<void>
  /** At once. @throws RetryableError */
  kill(id: string): Promise<void>
  wasAsked(id: string): boolean
  /** The first process of one that runs, for the time when the engine does not answer. */
  note(id: string, pid: number): void
  forget(id: string): void
}

export function createStopping({ engine, containers, log }: StoppingTools): Stopping {
  const asked = new Set<string>()
  const pids = new Map<string, number>()

  async function end(id: string, seconds: number): Promise<void> {
    const stop = (abortSignal: AbortSignal) => engine.docker.getContainer(id).stop({ t: seconds, abortSignal })
    try {
      await engine.call(`stop container ${id}`, stop, { deadline: 'stop', extraMs: seconds * 1000 }).catch(whenStatus([304, 404], null))
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'docker stop failed, killing')
      await kill(id)
    }
  }

  /** By the engine; where that hangs, as with a shim that does, by the kernel. */
  async function kill(id: string): Promise<void> {
    const container = engine.docker.getContainer(id)
    try {
      await engine.call(`kill container ${id}`, (abortSignal) => container.kill({ abortSignal })).catch(whenStatus([404, 409], null))
    } catch (error) {
      if (!(await killInContainer(pids.get(id) ?? 0, id))) throw error
      log.warn({ container: id, error: messageOf(error) }, 'docker kill failed, killed its first process')
    }
  }

  return {
    async stop(id, graceMs) {
      asked.add(id)
      await end(id, Math.ceil(graceMs / 1000))
      const info = await containers.inspect(id)
      if (info !== null && hasBegun(info) && isRunning(info)) throw new StuckError(`container ${id} does not end, not even by KILL`)
    },
    kill,
    wasAsked: (id) => asked.has(id),
    note: (id, pid) => void pids.set(id, pid),
    forget(id) {
      asked.delete(id)
      pids.delete(id)
    },
  }
}
