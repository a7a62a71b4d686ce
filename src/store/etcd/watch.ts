import type { IWatchResponse } from 'etcd3'
import type { Clock } from '../../lib/clock.ts'
import { messageOf, RetryableError, TerminalError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { Mailbox } from '../../lib/mailbox.ts'
import { firstOf, pause } from '../../lib/waits.ts'
import type { Millis } from '../../model/ids.ts'
import { CompactedError, compareRevisions, type StoreEvent } from '../store.ts'
import type { EtcdClient, EtcdNode } from './client.ts'
import { getKeyValue, itemOf, rangeEnd } from './range.ts'

/** etcd confirms a watch at once; a connection that stays silent is dead. */
const CONFIRM_DEADLINE_MS: Millis = 5000
const FIRST_PAUSE_MS: Millis = 20
const LONGEST_PAUSE_MS: Millis = 1000

export interface WatchContext {
  readonly client: EtcdClient
  readonly clock: Clock
  readonly log: Logger
  readonly root: string
}

interface WatchRequest {
  readonly prefix: string
  readonly from: string
  readonly signal: AbortSignal
}

/**
 * See `Store.watch`. Each try is a new stream from one after the last *event*, because a header's revision
 * is the store's, not what was delivered.
 */
export async function* watchSafely(context: WatchContext, request: WatchRequest): AsyncGenerator<StoreEvent[]> {
  const { signal, prefix } = request
  let { from } = request
  let wait = FIRST_PAUSE_MS
  while (!signal.aborted) {
    try {
      for await (const events of watchOnce(context, { prefix, from, signal })) {
        wait = FIRST_PAUSE_MS
        from = after(events, from)
        yield events
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof CompactedError || error instanceof TerminalError) throw error
      context.log.warn({ prefix, from, error: messageOf(error) }, 'watch was cut; resuming')
    }
    await pause(context.clock, wait, signal)
    wait = Math.min(wait * 2, LONGEST_PAUSE_MS)
  }
}

const after = (events: readonly StoreEvent[], from: string): string => {
  const last = events.at(-1)
  return last === undefined ? from : String(BigInt(last.revision) + 1n)
}

type Arrival = { readonly response: IWatchResponse } | { readonly error: unknown }

/** One stream, until it breaks (throws) or the signal aborts (ends). */
async function* watchOnce(context: WatchContext, request: WatchRequest): AsyncGenerator<StoreEvent[]> {
  const node = context.client.node()
  const signal = AbortSignal.any([request.signal, node.left])
  const arrivals = new Mailbox<Arrival>()
  const stream = await openStream(node, arrivals)
  try {
    stream.write({ create_request: createRequest(context.root + request.prefix, request.from) })
    await confirmed(context, arrivals, signal)
    yield* assemble(context, { ...request, signal }, arrivals)
  } catch (error) {
    if (!(error instanceof CompactedError)) context.client.leave(node)
    throw error
  } finally {
    // Ended before it is cancelled, or etcd3 takes the cancellation for a failing host and resets its other calls.
    stream.end()
    stream.cancel()
  }
}

async function openStream(node: EtcdNode, arrivals: Mailbox<Arrival>) {
  const stream = await node.watch.watch()
  stream.on('data', (response) => arrivals.put({ response }))
  stream.on('error', (error) => arrivals.put({ error }))
  stream.on('end', () => arrivals.put({ error: new RetryableError('etcd ended the watch') }))
  return stream
}

/**
 * Starts one revision early: etcd 3.4 drops a deletion made at the very revision of a compaction without a word,
 * but refuses a watch that starts before it.
 */
function createRequest(fullPrefix: string, from: string) {
  const early = BigInt(from) - 1n
  const start_revision = String(early < 1n ? 1n : early)
  return { key: Buffer.from(fullPrefix), range_end: rangeEnd(fullPrefix), start_revision, fragment: true }
}

async function confirmed({ clock }: WatchContext, arrivals: Mailbox<Arrival>, signal: AbortSignal): Promise<void> {
  await firstOf(signal, [(either) => arrivals.waitForItem(either), (either) => pause(clock, CONFIRM_DEADLINE_MS, either)])
  if (arrivals.size === 0 && !signal.aborted) throw new RetryableError('etcd did not confirm the watch')
}

/** Joins the fragments that etcd makes of large responses, so that a revision always comes whole. */
async function* assemble(context: WatchContext, request: WatchRequest, arrivals: Mailbox<Arrival>): AsyncGenerator<StoreEvent[]> {
  let pending: StoreEvent[] = []
  while (!request.signal.aborted) {
    await arrivals.waitForItem(request.signal)
    for (const arrival of arrivals.takeAll()) {
      if (request.signal.aborted) return
      if ('error' in arrival) throw arrival.error
      const { response } = arrival
      await checkHistory(context, request, response)
      const { whole, rest } = wholeRevisions([...pending, ...eventsOf(response, context.root, request.from)], response.fragment)
      pending = rest
      if (whole.length > 0) yield whole
    }
  }
}

/** Until the last fragment is here, the newest revision may go on in the next. */
function wholeRevisions(events: StoreEvent[], fragment: boolean): { whole: StoreEvent[]; rest: StoreEvent[] } {
  if (!fragment) return { whole: events, rest: [] }
  const newest = events.at(-1)?.revision
  const start = events.findIndex(({ revision }) => revision === newest)
  return { whole: events.slice(0, start), rest: events.slice(start) }
}

/** @throws CompactedError when the watch cannot go on from where it should. */
async function checkHistory({ client, root }: WatchContext, { from }: WatchRequest, response: IWatchResponse): Promise<void> {
  if (response.canceled) {
    if (response.compact_revision !== '0') throw new CompactedError(`revision ${from} is compacted up to ${response.compact_revision}`)
    throw new RetryableError(`etcd cancelled the watch: ${response.cancel_reason}`)
  }
  if (!response.created || reaches(response.header.revision, from)) return
  // The member may just lag behind; only a read through the quorum tells whether the store went back.
  const { revision } = await getKeyValue(client, root)
  if (!reaches(revision, from)) throw new CompactedError(`the store is at revision ${revision}, before ${from}: it was restored`)
}

const reaches = (revision: string, from: string): boolean => BigInt(revision) >= BigInt(from) - 1n

function eventsOf(response: IWatchResponse, root: string, from: string): StoreEvent[] {
  return response.events
    .filter(({ kv }) => compareRevisions(kv.mod_revision, from) >= 0)
    .map(({ type, kv }) => {
      const { key, value, revision } = itemOf(kv, root)
      return { type: type.toLowerCase() === 'delete' ? 'delete' : 'put', key, value, revision }
    })
}
