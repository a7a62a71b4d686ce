import { type Client, isAway, Unreachable } from './client.ts'
import type { CliClock } from './deps.ts'

/** Wait before connecting again, in milliseconds; doubles up to the second number. */
const RECONNECT: readonly [number, number] = [100, 2_000]

/** A busy leader takes hundreds of turns a second; reading everything after each would slow what is waited for. Milliseconds. */
const READS_APART = 200

export interface WatchOptions {
  readonly client: Client
  readonly clock: CliClock
  readonly signal: AbortSignal
  /** What to do when the connection ends: to connect again unless told. */
  readonly whenLost?: 'Reconnect' | 'End'
}

/**
 * Yields once the server listens for changes and then after each; read the state after every yield.
 * Several changes in one piece of the stream count as one. Once connected, it connects again for as long
 * as the signal lives, and waits for a server that does not lead yet. @throws Unreachable when nobody answers at first.
 */
export async function* changes(options: WatchOptions): AsyncGenerator<void> {
  let delay = RECONNECT[0]
  let first = true
  while (!options.signal.aborted) {
    const stream = await connected(options, first)
    first = false
    for await (const text of stream) {
      if (!text.includes('event: change')) continue
      delay = RECONNECT[0]
      yield
      if (!(await pause(options, READS_APART))) return
    }
    if (options.whenLost === 'End' || !(await pause(options, delay))) return
    delay = Math.min(delay * 2, RECONNECT[1])
  }
}

async function connected({ client, signal }: WatchOptions, first: boolean): Promise<AsyncIterable<string>> {
  try {
    return untilBroken(await client.stream('/api/v1/watch', signal))
  } catch (error) {
    if (signal.aborted || (isAway(error) && !(first && error instanceof Unreachable))) return untilBroken([])
    throw error
  }
}

async function* untilBroken(stream: AsyncIterable<string> | readonly string[]): AsyncGenerator<string> {
  try {
    yield* stream
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
  }
}

/** False when the signal aborted it. */
async function pause({ clock, signal }: WatchOptions, ms: number): Promise<boolean> {
  try {
    await clock.sleep(ms, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
