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
  /** There are containers of this agent that nobody waits for: looks at them too, as long as there are any. */
  guard(): void
  /** Puts something into the mailbox whenever the container may have ended, until the returned function is called. */
  watch(id: string, looks: Mailbox<'look'>): () => void
  close(): void
}

export interface WatcherOptions {
  readonly engine: Engine
  readonly identity: Identity
  readonly clock: Clock
  readonly log: Logger
  /** A container that nobody waits for runs, or may do so. */
  readonly onStray: (id: string) => void
}

/** As `docker ps` calls them: a paused one has processes too. */
const ALIVE: ReadonlySet<string> = new Set(['running', 'paused', 'restarting'])

/** One event stream and one audit for all containers of this agent; both rest while there are none. */
export function createWatcher(options: WatcherOptions): Watcher {
  const { engine, identity, clock, log, onStray } = options
  const watched = new Map<string, Set<Mailbox<'look'>>>()
  let over: AbortController | null = null

  const wake = (id: string): void => {
    for (const looks of watched.get(id) ?? []) looks.put('look')
  }

  /** All that is watched and does not run, and all that runs and is not watched, in one call. */
  async function audit(): Promise<void> {
    const filters = { label: labelFilter(identity) }
    const all = await engine.call('list containers', (abortSignal) => engine.docker.listContainers({ all: true, filters, abortSignal }))
    const alive = new Set(all.filter(({ State }) => ALIVE.has(State)).map(({ Id }) => Id))
    for (const id of watched.keys()) if (!alive.has(id)) wake(id)
    for (const id of alive) if (!watched.has(id)) onStray(id)
    if (all.length === 0 && watched.size === 0) end()
  }

  async function auditForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(clock, AUDIT_EVERY, signal)
      if (!signal.aborted) await audit().catch((error: unknown) => log.warn({ error: messageOf(error) }, 'docker audit failed'))
    }
  }

  // Audited once the stream stands, so that nothing falls between the two.
  const look = (id: string): void => (watched.has(id) ? wake(id) : onStray(id))
  const events = createEventStream({ ...options, onChange: look, onConnected: audit })

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
      }
    },
    guard: begin,
    outages: events.outages,
    suspect: events.suspect,
    close: end,
  }
}
