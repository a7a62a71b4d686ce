import { z } from 'zod'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { pause } from '../../../src/lib/waits.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Engine } from './engine.ts'
import type { Outage } from './exit.ts'
import { type Identity, labelFilter } from './names.ts'
import { ndjson } from './ndjson.ts'
import { createOutages } from './outages.ts'

const RECONNECT_MIN: Millis = 100
const RECONNECT_MAX: Millis = 2_000

export interface EventStreamOptions {
  readonly engine: Engine
  readonly identity: Identity
  readonly clock: Clock
  readonly log: Logger
  /** A container of ours was started, has ended, or was removed. */
  readonly onChange: (id: string) => void
  /** The stream stands, and knows nothing of what was before. */
  readonly onConnected: () => Promise<void>
}

export interface EventStream {
  /** Until the signal aborts; a broken stream is opened again. */
  follow(signal: AbortSignal): Promise<void>
  /** When there was no stream. */
  readonly outages: readonly Outage[]
  /** The daemon takes no new calls: what happens from now on may be its doing. */
  suspect(): void
}

const Event = z.object({ Actor: z.object({ ID: z.string() }) })

/** The daemon's events about containers of one agent. */
export function createEventStream({ engine, identity, clock, log, onChange, onConnected }: EventStreamOptions): EventStream {
  const outages = createOutages(clock)
  const filters = { type: ['container' as const], event: ['start', 'die', 'destroy'], label: labelFilter(identity) }
  let current = new AbortController()

  async function followOnce(signal: AbortSignal): Promise<void> {
    const stream = await engine.stream('follow events', (abortSignal) => engine.streams.getEvents({ filters, abortSignal }), signal)
    outages.end()
    await onConnected()
    for await (const event of ndjson(stream)) onChange(Event.parse(event).Actor.ID)
  }

  return {
    async follow(signal) {
      for (let failures = 0; !signal.aborted; failures += 1) {
        const before = clock.monotonic()
        current = new AbortController()
        await followOnce(AbortSignal.any([signal, current.signal])).catch((error: unknown) => {
          if (!signal.aborted) log.warn({ error: messageOf(error) }, 'docker event stream broke')
        })
        if (signal.aborted) return
        outages.begin()
        if (clock.monotonic() - before > RECONNECT_MAX) failures = 0
        await pause(clock, Math.min(RECONNECT_MAX, RECONNECT_MIN * 2 ** failures), signal)
      }
    },
    outages: outages.all,
    suspect() {
      outages.begin()
      // The stream of a daemon that ends stays open until the last moment; a new one tells when it is back.
      current.abort(new Error('the daemon is suspected to end'))
    },
  }
}
