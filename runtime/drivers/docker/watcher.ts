import type { Clock } from '../../../src/lib/clock.ts'
import { messageOf } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { Mailbox } from '../../../src/lib/mailbox.ts'
import { firstOf, pause } from '../../../src/lib/waits.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { Engine } from './engine.ts'
import { createEventStream, type EventStream } from './event-stream.ts'
import { type Identity, labelFilter } from './names.ts'

/** How often all watched containers are looked at in one list, for events are a hint: a frozen or restarted daemon loses them. */
const AUDIT_EVERY: Millis = 10_000

/** Says when to look at a container again. */
export interface Watcher extends Pick<EventStream, 'outages' | 'suspect'> {
  /** Puts something into the mailbox whenever the container may have ended, until the returned function is called. */
  watch(id: string, looks: Mailbox<'look'>): () => void
  close(): void
}

export interface WatcherOptions {
  readonly engine: Engine
  readonly identity: Identity
  readonly clock: Clock
  readonly log: Logger
}

/** One event stream and one audit for all containers of this agent; both rest while nothing is watched. */
export function createWatcher(options: WatcherOptions): Watcher {
  const { engine, identity, clock, log } = options
  const watched = new Map<string, Set<Mailbox<'look'>>>()
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

  async function auditForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(clock, AUDIT_EVERY, signal)
      if (!signal.aborted) await audit().catch((error: unknown) => log.warn({ error: messageOf(error) }, 'docker audit failed'))
    }
  }

  // Audited once the stream stands, so that nothing falls between the two.
  const events = createEventStream({ ...options, onEnd: wake, onConnected: audit })

  function begin(): void {
    if (over !== null) return
    over = new AbortController()
    void firstOf(over.signal, [events.follow, auditForever])
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
    outages: events.outages,
    suspect: events.suspect,
    close: end,
  }
}
