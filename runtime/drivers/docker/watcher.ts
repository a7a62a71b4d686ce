import { z } from 'zod'
import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { Mailbox } from '../../../src/lib/mailbox.ts'
import { firstOf, pause } from '../../../src/lib/waits.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Engine } from './engine.ts'
import type { Outage } from './exit.ts'
import { type Identity, labelFilter } from './names.ts'
import { ndjson } from './ndjson.ts'
import { createOutages } from './outages.ts'

/** How often all watched containers are looked at in one list, for events are a hint: a frozen or restarted daemon loses them. */
const AUDIT_EVERY: Millis = 10_000
const RECONNECT_MIN: Millis = 100
const RECONNECT_MAX: Millis = 2_000

/** Says when to look at a container again. */
export interface Watcher {
  /** Puts something into the mailbox whenever the container may have ended, until the returned function is called. */
  watch(id: string, looks: Mailbox<'look'>): () => void
  readonly outages: readonly Outage[]
  close(): void
}

export interface WatcherOptions {
  readonly engine: Engine
  readonly identity: Identity
  readonly clock: Clock
  readonly log: Logger
}

const Event = z.object({ Actor: z.object({ ID: z.string() }) })

/** One event stream and one audit for all containers of this agent; both rest while nothing is watched. */
export function createWatcher({ engine, identity, clock, log }: WatcherOptions): Watcher {
  const watched = new Map<string, Set<Mailbox<'look'>>>()
  const outages = createOutages(clock)
  let over: AbortController | null = null

  const wake = (id: string): void => {
    for (const looks of watched.get(id) ?? []) looks.put('look')
  }

  /** All that is watched and does not run, in one call. */
  async function audit(): Promise<void> {
    const filters = { label: labelFilter(identity) }
    const running = await engine.call('list containers', (abortSignal) => engine.docker.listContainers({ filters, abortSignal }))
    const ids = new Set(running.map(({ Id }) => Id))
    for (const id of watched.keys()) if (!ids.has(id)) wake(id)
  }

  async function follow(signal: AbortSignal): Promise<void> {
    const filters = { type: ['container' as const], event: ['die', 'destroy'], label: labelFilter(identity) }
    const stream = await engine.stream('follow events', (abortSignal) => engine.streams.getEvents({ filters, abortSignal }), signal)
    outages.end()
    // After the stream stands, so that nothing falls between the two.
    await audit()
    for await (const event of ndjson(stream)) wake(Event.parse(event).Actor.ID)
  }

  async function followForever(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const before = clock.monotonic()
      await follow(signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn({ error: messageOf(error) }, 'docker event stream broke')
      })
      if (signal.aborted) return
      outages.begin()
      failures = clock.monotonic() - before > RECONNECT_MAX ? 0 : failures + 1
      await pause(clock, Math.min(RECONNECT_MAX, RECONNECT_MIN * 2 ** failures), signal)
    }
  }

  async function auditForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(clock, AUDIT_EVERY, signal)
      if (!signal.aborted) await audit().catch((error: unknown) => log.warn({ error: messageOf(error) }, 'docker audit failed'))
    }
  }

  function begin(): void {
    if (over !== null) return
    over = new AbortController()
    const { signal } = over
    void firstOf(signal, [followForever, auditForever])
  }

  function end(): void {
    over?.abort()
    over = null
  }

  return {
    watch(id, looks) {
      const here = watched.get(id) ?? new Set()
      watched.set(id, here.add(looks))
      begin()
      return () => {
        here.delete(looks)
        if (here.size === 0 && watched.get(id) === here) watched.delete(id)
        if (watched.size === 0) end()
      }
    },
    outages: outages.all,
    close: end,
  }
}
