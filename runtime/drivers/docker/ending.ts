import { uptime } from 'node:os'
import type { ContainerInspectInfo } from 'dockerode'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf, RetryableError } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { Mailbox } from '../../../src/lib/mailbox.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Exit } from '../../driver.ts'
import type { Containers } from './containers.ts'
import type { Engine } from './engine.ts'
import { whenStatus } from './errors.ts'
import { exitOf, hasBegun, isRunning, looksKilledByDaemon, removedExternally } from './exit.ts'
import { initComplaint } from './program-check.ts'
import type { Watcher } from './watcher.ts'

export interface EndingTools {
  readonly engine: Engine
  readonly containers: Containers
  readonly watcher: Watcher
  readonly clock: Clock
  readonly log: Logger
}

/** Waits for ends and brings them about, and so knows which were its own doing. */
export interface Ending {
  wait(id: string, signal: AbortSignal): Promise<Exit>
  /** @throws RetryableError when it still runs at the deadlines */
  stop(id: string, graceMs: Millis): Promise<void>
  /** Removed: nothing about it will be asked again. */
  forget(id: string): void
}

export function createEnding({ engine, containers, watcher, clock, log }: EndingTools): Ending {
  const stopped = new Set<string>()

  /** Null: it runs, or nobody knows just now. */
  async function ended(id: string): Promise<Exit | null> {
    try {
      const info = await containers.inspect(id)
      if (info === null) return removedExternally(clock.now())
      return isRunning(info) || (await daemonIsGoing(id, info)) ? null : await exitFrom(info)
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'cannot tell how a container is')
      return null
    }
  }

  /** Killed by nobody we know while the daemon takes no new calls: wait for its return to say why. */
  async function daemonIsGoing(id: string, { State }: ContainerInspectInfo): Promise<boolean> {
    if (!looksKilledByDaemon(State.ExitCode, { stopped: stopped.has(id) }) || (await engine.takesCalls())) return false
    watcher.suspect()
    return true
  }

  async function exitFrom(info: ContainerInspectInfo): Promise<Exit> {
    const bootedAt = clock.now() - uptime() * 1000
    const exit = exitOf(info, { stopped: stopped.has(info.Id), outages: watcher.outages, bootedAt })
    const notRun = (await initComplaint(engine, info.Id, info.State.ExitCode)) !== null
    return notRun ? { ...exit, reason: 'StartFailed' } : exit
  }

  async function wait(id: string, signal: AbortSignal): Promise<Exit> {
    const looks = new Mailbox<'look'>()
    // Before the first look, so that no end is missed between the two.
    const unwatch = watcher.watch(id, looks)
    try {
      for (;;) {
        signal.throwIfAborted()
        const exit = await ended(id)
        if (exit !== null) return exit
        await looks.waitForItem(signal)
        looks.takeAll()
      }
    } finally {
      unwatch()
    }
  }

  async function stop(id: string, graceMs: Millis): Promise<void> {
    stopped.add(id)
    const container = engine.docker.getContainer(id)
    const seconds = Math.ceil(graceMs / 1000)
    try {
      await engine
        .call(`stop container ${id}`, (abortSignal) => container.stop({ t: seconds, abortSignal }), {
          deadline: 'stop',
          extraMs: seconds * 1000,
        })
        .catch(whenStatus([304, 404], null))
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'docker stop failed, killing')
      await engine.call(`kill container ${id}`, (abortSignal) => container.kill({ abortSignal })).catch(whenStatus([404, 409], null))
    }
    const info = await containers.inspect(id)
    if (info !== null && hasBegun(info) && isRunning(info)) throw new RetryableError(`container ${id} does not end, not even by KILL`)
  }

  return { wait, stop, forget: (id) => void stopped.delete(id) }
}
