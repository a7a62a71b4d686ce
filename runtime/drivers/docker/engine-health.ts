import { z } from 'zod'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf } from '../../../src/lib/errors.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Capabilities } from '../../driver.ts'
import type { Engine } from './engine.ts'

/** A daemon that restarts is silent for seconds, and its machine is not to lose its tasks for that. */
const UNHEALTHY_AFTER: Millis = 15_000

const Version = z.object({ Version: z.string(), ApiVersion: z.string(), Os: z.string() })

/** Asks the daemon each time; silent after it has answered once, it counts as available for another 15 s. */
export function createHealth(engine: Engine, clock: Clock): (signal: AbortSignal) => Promise<Capabilities> {
  let last: { readonly at: Millis; readonly detail: string } | null = null
  return async (signal) => {
    try {
      const answer = await engine.get('ask for the version', '/version', { deadline: 'ping', signal })
      const { Version: version, ApiVersion: api, Os: os } = Version.parse(answer)
      if (os !== 'linux') return { available: false, detail: `Docker ${version} runs ${os} containers, not linux` }
      last = { at: clock.monotonic(), detail: `Docker ${version} (API ${api})` }
      return { available: true, detail: last.detail }
    } catch (error) {
      signal.throwIfAborted()
      if (last !== null && clock.monotonic() - last.at < UNHEALTHY_AFTER)
        return { available: true, detail: `${last.detail}, not answering now` }
      return { available: false, detail: `RuntimeUnhealthy: ${messageOf(error)}` }
    }
  }
}
