import type { Clock } from '../lib/clock.ts'

const encoder = new TextEncoder()
/** Under the 60 s after which nginx and load balancers drop an idle connection. */
const PING_MS = 15_000

/** Bytes as fast as the reader takes them; `onCancel` runs when the reader goes away. */
export function byteStream(source: AsyncIterator<Uint8Array>, onCancel: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const next = await source.next()
      if (next.done) controller.close()
      else controller.enqueue(next.value)
    },
    cancel: onCancel,
  })
}

/** One JSON value a line. */
export async function* ndjson(values: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const value of values) yield encoder.encode(`${JSON.stringify(value)}\n`)
}

/**
 * A `change` event at once and one for each tick of `changes`; comments in between keep the connection known alive.
 * The first is sent only after listening has begun, so a client that reads after it misses nothing.
 */
export async function* changeEvents(changes: AsyncIterable<void>, clock: Clock, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const ticks = changes[Symbol.asyncIterator]()
  let tick = ticks.next()
  yield changeEvent(0)
  for (let id = 1; ; ) {
    const outcome = await firstOf(tick, clock, signal)
    if (outcome === 'end') return
    if (outcome === 'ping') {
      yield encoder.encode(': ping\n\n')
      continue
    }
    tick = ticks.next()
    yield changeEvent(id++)
  }
}

const changeEvent = (id: number): Uint8Array => encoder.encode(`event: change\nid: ${id}\ndata: {}\n\n`)

async function firstOf(tick: Promise<IteratorResult<void>>, clock: Clock, signal: AbortSignal): Promise<'change' | 'ping' | 'end'> {
  const settled = new AbortController()
  const pause = clock.sleep(PING_MS, AbortSignal.any([settled.signal, signal])).then(
    () => 'ping' as const,
    () => 'end' as const,
  )
  const change = tick.then((next) => (next.done ? ('end' as const) : ('change' as const)))
  try {
    return await Promise.race([change, pause])
  } finally {
    settled.abort()
  }
}
