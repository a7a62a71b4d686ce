import { z } from 'zod'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf } from '../../../src/lib/errors.ts'
import type { Millis } from '../../../src/model/ids.ts'
import { RUNTIME_UNHEALTHY } from '../../../src/model/reason.ts'
import type { Capabilities } from '../../driver.ts'
import type { Engine } from './engine.ts'

/** A daemon that restarts is silent for seconds, and its machine is not to lose its tasks for that. */
const UNHEALTHY_AFTER: Millis = 15_000

const Info = z.object({ DockerRootDir: z.string() })
const Version = z.object({ Version: z.string(), ApiVersion: z.string(), Os: z.string() })

export interface HealthTools {
  readonly engine: Engine
  readonly clock: Clock
  /** Whether this machine holds attempts, so that the daemon was there before. */
  readonly wasUsed: () => Promise<boolean>
}

/**
 * Asks the daemon each time; silent after it has answered once, it counts as available for another 15 s, and then as
 * unhealthy. One that never was there is only not available: nobody waits for it.
 */
export function createHealth({ engine, clock, wasUsed }: HealthTools): (signal: AbortSignal) => Promise<Capabilities> {
  let last: { readonly at: Millis; readonly found: Capabilities } | null = null
  return async (signal) => {
    try {
      const answer = await engine.get('ask for the version', '/version', { deadline: 'ping', signal })
      const { Version: version, ApiVersion: api, Os: os } = Version.parse(answer)
      if (os !== 'linux') return { available: false, detail: `Docker ${version} runs ${os} containers, not linux` }
      // Asked once, for it counts all containers on the way.
      const dataRoot =
        last?.found.dataRoot ?? Info.parse(await engine.get('ask for its folder', '/info', { deadline: 'ping', signal })).DockerRootDir
      last = { at: clock.monotonic(), found: { available: true, detail: `Docker ${version} (API ${api})`, dataRoot } }
      return last.found
    } catch (error) {
      signal.throwIfAborted()
      if (last !== null && clock.monotonic() - last.at < UNHEALTHY_AFTER)
        return { ...last.found, detail: `${last.found.detail}, not answering now` }
      const isMissed = last !== null || (await wasUsed())
      return { available: false, detail: isMissed ? `${RUNTIME_UNHEALTHY}: ${messageOf(error)}` : messageOf(error) }
    }
  }
}
