import type { Clock } from '../src/lib/clock.ts'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { firstOf } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'
import { LAST_LINE_MAX, LAST_LINES } from '../src/model/task.ts'
import { type Driver, type Handle, WHOLE_LOG } from './driver.ts'

/** The next attempt waits for this. */
const PATIENCE: Millis = 2_000

interface Tools {
  readonly driver: Driver
  readonly clock: Clock
  readonly log: Logger
}

/** The last words of an attempt, as far as they can be read within moments: they help, and nothing depends on them. */
export async function lastLines({ driver, clock, log }: Tools, handle: Handle, signal: AbortSignal): Promise<readonly string[]> {
  const lines: string[] = []
  const read = async (over: AbortSignal): Promise<void> => {
    for await (const { text } of driver.logs(handle, { ...WHOLE_LOG, tail: LAST_LINES }, over)) lines.push(text.slice(0, LAST_LINE_MAX))
  }
  try {
    await firstOf(signal, [read, (over) => clock.sleep(PATIENCE, over)])
  } catch (error) {
    if (!signal.aborted) log.debug({ task: handle.task, attempt: handle.attempt, error: messageOf(error) }, 'last lines not read')
    return []
  }
  return lines.slice(-LAST_LINES)
}
