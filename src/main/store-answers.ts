import type { Clock } from '../lib/clock.ts'
import { messageOf, RetryableError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { pause } from '../lib/waits.ts'

const RETRY_MS = 1000

export interface Patience {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/**
 * What a control plane asks of its store before it can stand by, asked again each second until the store answers:
 * machines that are switched on together come up in any order. `ask` may have been half done before.
 * @throws at once what no waiting mends; the signal's reason on abort.
 */
export async function onceStoreAnswers<T>(ask: () => Promise<T>, { clock, log, signal }: Patience): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error
      // A wrong authority or address looks the same from here; only the cause tells.
      log.warn({ error: messageOf(error), cause: messageOf(error.cause) }, 'the store does not answer; asking again')
    }
    await pause(clock, RETRY_MS, signal)
    signal.throwIfAborted()
  }
}
