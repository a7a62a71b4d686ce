import { uptime } from 'node:os'
import type { ContainerInspectInfo } from 'dockerode'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf, RetryableError } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { Mailbox } from '../../../src/lib/mailbox.ts'
import { firstOf } from '../../../src/lib/waits.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Exit } from '../../driver.ts'
import type { Containers } from './containers.ts'
import type { Engine } from './engine.ts'
import { whenStatus } from './errors.ts'
import { type End, endOf, hasBegun, isRunning, looksKilledByDaemon, removedExternally } from './exit.ts'
import type { Peaks } from './peaks.ts'
import { initComplaint } from './program-check.ts'
import type { Watcher } from './watcher.ts'

export interface EndingTools {
  readonly engine: Engine
  readonly containers: Containers
  readonly watcher: Watcher
  readonly peaks: Peaks
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

/** What one look at a container shows. `unknown`: nobody can tell just now. */
type Look =
  | { readonly state: 'running'; readonly pid: number }
  | { readonly state: 'ended'; readonly end: End }
  | { readonly state: 'unknown' }

export function createEnding({ engine, containers, watcher, peaks, clock, log }: EndingTools): Ending {
  const stopped = new Set<string>()

  async function lookAt(id: string): Promise<Look> {
    try {
      const info = await containers.inspect(id)
      if (info === null) return { state: 'ended', end: removedExternally(clock.now()) }
      if (isRunning(info)) return { state: 'running', pid: info.State.Pid }
      return (await daemonIsGoing(id, info)) ? { state: 'unknown' } : { state: 'ended', end: await endFrom(info) }
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'cannot tell how a container is')
      return { state: 'unknown' }
    }
  }

  /** Killed by nobody we know while the daemon takes no new calls: wait for its return to say why. */
  async function daemonIsGoing(id: string, { State }: ContainerInspectInfo): Promise<boolean> {
    if (!looksKilledByDaemon(State.ExitCode, { stopped: stopped.has(id) }) || (await engine.takesCalls())) return false
    watcher.suspect()
    return true
  }

  async function endFrom(info: ContainerInspectInfo): Promise<End> {
    const bootedAt = clock.now() - uptime() * 1000
    const end = endOf(info, { stopped: stopped.has(info.Id), outages: watcher.outages, bootedAt })
    const notRun = (await initComplaint(engine, info.Id, info.State.ExitCode)) !== null
    return notRun ? { ...end, reason: 'StartFailed' } : end
  }

  async function wait(id: string, signal: AbortSignal): Promise<Exit> {
    const looks = new Mailbox<'look'>()
    // Before the first look, so that no end is missed between the two.
    const unwatch = watcher.watch(id, looks)
    try {
      for (;;) {
        signal.throwIfAborted()
        const seen = await lookAt(id)
        if (seen.state === 'ended') return { ...seen.end, peakMemoryBytes: peaks.of(id) }
        const news = (over: AbortSignal): Promise<void> => looks.waitForItem(over)
        await firstOf(signal, seen.state === 'running' ? [news, (over) => peaks.watch(id, seen.pid, over)] : [news])
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
