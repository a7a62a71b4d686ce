import { uptime } from 'node:os'
import type { ContainerInspectInfo } from 'dockerode'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { Mailbox } from '../../../src/lib/mailbox.ts'
import { firstOf } from '../../../src/lib/waits.ts'
import type { Exit } from '../../driver.ts'
import type { Containers } from './containers.ts'
import type { Engine } from './engine.ts'
import { type End, endOf, isRevived, isRunning, looksKilledByDaemon, removedExternally, restartedExternally } from './exit.ts'
import type { Peaks } from './peaks.ts'
import { initComplaint } from './program-check.ts'
import type { Stopping } from './stopping.ts'
import type { Watcher } from './watcher.ts'

export interface EndingTools {
  readonly engine: Engine
  readonly containers: Containers
  readonly watcher: Watcher
  readonly peaks: Peaks
  readonly stopping: Stopping
  readonly clock: Clock
  readonly log: Logger
}

/** Waits for ends, and says why they came. */
export interface Ending {
  wait(id: string, signal: AbortSignal): Promise<Exit>
  /** Ends one that somebody else started again after its end. Never rejects. */
  endRevived(id: string): Promise<void>
}

/** What one look at a container shows. `unknown`: nobody can tell just now. */
type Look =
  | { readonly state: 'running'; readonly pid: number }
  | { readonly state: 'ended'; readonly end: End }
  | { readonly state: 'unknown' }

export function createEnding({ engine, containers, watcher, peaks, stopping, clock, log }: EndingTools): Ending {
  async function lookAt(id: string): Promise<Look> {
    try {
      const info = await containers.inspect(id)
      if (info === null) return { state: 'ended', end: removedExternally(clock.now()) }
      if (isRevived(info)) return await revived(info)
      if (isRunning(info)) {
        stopping.note(id, info.State.Pid)
        return { state: 'running', pid: info.State.Pid }
      }
      return (await daemonIsGoing(id, info)) ? { state: 'unknown' } : { state: 'ended', end: await endFrom(info) }
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'cannot tell how a container is')
      return { state: 'unknown' }
    }
  }

  async function revived(info: ContainerInspectInfo): Promise<Look> {
    log.warn({ container: info.Id }, 'somebody started an ended container again: killing it')
    await stopping.kill(info.Id)
    return { state: 'ended', end: restartedExternally(info) }
  }

  /** Killed by nobody we know while the daemon takes no new calls: wait for its return to say why. */
  async function daemonIsGoing(id: string, { State }: ContainerInspectInfo): Promise<boolean> {
    if (!looksKilledByDaemon(State.ExitCode, { stopped: stopping.wasAsked(id) }) || (await engine.takesCalls())) return false
    watcher.suspect()
    return true
  }

  async function endFrom(info: ContainerInspectInfo): Promise<End> {
    const bootedAt = clock.now() - uptime() * 1000
    const end = endOf(info, { stopped: stopping.wasAsked(info.Id), outages: watcher.outages, bootedAt })
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

  async function endRevived(id: string): Promise<void> {
    try {
      const info = await containers.inspect(id)
      if (info !== null && isRevived(info)) await revived(info)
    } catch (error) {
      log.warn({ container: id, error: messageOf(error) }, 'cannot tell how a container is')
    }
  }

  return { wait, endRevived }
}
