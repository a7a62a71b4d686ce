import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { createSemaphore } from '../src/lib/semaphore.ts'
import type { LogLine } from '../src/model/protocol.ts'
import type { Roster } from './roster.ts'
import type { LogsFrame } from './session.ts'
import type { Uplink } from './uplink.ts'

/** Readers at once on one machine; more wait for their turn. */
const READERS_MAX = 64

export interface LogService {
  serve(frame: LogsFrame): void
  /** Resolves when the last reader has gone. */
  ended(): Promise<void>
}

async function* noLines(): AsyncGenerator<LogLine> {
  yield* []
}

/** Sends logs that were asked for, each on its own connection. What has no log yet gives an empty one. */
export function createLogService(deps: { roster: Roster; uplink: Uplink; log: Logger }, signal: AbortSignal): LogService {
  const room = createSemaphore(READERS_MAX)
  const under = new Set<Promise<void>>()

  const send = async ({ ticket, task, options: { attempt, ...query } }: LogsFrame): Promise<void> => {
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    const found = deps.roster.findLog(task, attempt)
    try {
      await deps.uplink.sendLogs(ticket, found?.driver.logs(found.handle, query, either) ?? noLines(), either)
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ task, error: messageOf(error) }, 'logs not sent')
    } finally {
      over.abort()
    }
  }

  const answer = async (frame: LogsFrame): Promise<void> => {
    try {
      await room.run(() => send(frame), signal)
    } catch (error) {
      if (!signal.aborted) deps.log.error({ error: messageOf(error) }, 'log service broke')
    }
  }

  return {
    serve(frame) {
      const work: Promise<void> = answer(frame).then(() => {
        under.delete(work)
      })
      under.add(work)
    },
    async ended() {
      await Promise.all(under)
    },
  }
}
