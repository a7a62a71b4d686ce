import type { Context } from 'hono'
import type { Api, ApiEnv, ApiParts, Guard } from './parts.ts'
import { NoQuery, parseRequest } from './problem.ts'
import { IdParam, LogsQuery, OidParam } from './schemas.ts'
import { byteStream, changeEvents, ndjson } from './streams.ts'

/** Answers that go on: log lines, change events, packed trees. They end when the client goes or the server stops. */
export function streamRoutes(api: Api, { control, gate, guard, clock }: ApiParts): void {
  api.get('/api/v1/tasks/:id/logs', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    const options = parseRequest(LogsQuery, c.req.query())
    const reader = readerOf(c, guard)
    const lines = await orGone(reader, control.logs(id, options, reader.signal))
    return streamed(ndjson(lines), 'application/x-ndjson', reader)
  })
  api.get('/api/v1/backup', async (c) => {
    parseRequest(NoQuery, c.req.query())
    const reader = readerOf(c, guard)
    const lines = await orGone(
      reader,
      control.backup().then((all) => started(ndjson(all))),
    )
    return streamed(lines, 'application/x-ndjson', reader)
  })
  api.get('/api/v1/watch', (c) => {
    parseRequest(NoQuery, c.req.query())
    const reader = readerOf(c, guard)
    const events = changeEvents(control.changes(reader.signal), clock, reader.signal)
    return streamed(events, 'text/event-stream', reader)
  })
  api.get('/agent/v1/trees/:oid', async (c) => {
    const { oid } = parseRequest(OidParam, c.req.param())
    const reader = readerOf(c, guard)
    const agent = c.get('agent')
    const own = guard === null || agent === undefined ? gate : guard.gateOf(agent)
    const packed = await orGone(reader, started(own.tree(oid, reader.signal)))
    return streamed(packed, 'application/octet-stream', reader)
  })
}

interface Reader {
  readonly signal: AbortSignal
  /** Say that the reader has gone. */
  readonly gone: () => void
}

/** Who reads with a token reads no longer than it is good. */
function readerOf(c: Context<ApiEnv>, guard: Guard | null): Reader {
  const controller = new AbortController()
  // Undefined where no server carries the app, as in `app.request`.
  const env: ApiEnv['Bindings'] | undefined = c.env
  const signals = [controller.signal, c.req.raw.signal, env?.shutdown].filter((signal) => signal !== undefined)
  const caller = c.get('caller')
  const forget =
    guard === null || caller === undefined
      ? () => undefined
      : guard.trust.onEnd(caller, () => controller.abort(new Error('the token is no longer good')))
  const gone = (): void => {
    forget()
    controller.abort(new Error('the reader has gone'))
  }
  return { signal: AbortSignal.any(signals), gone }
}

/** What was never opened leaves no reader behind. */
async function orGone<T>({ gone }: Reader, opening: Promise<T>): Promise<T> {
  try {
    return await opening
  } catch (error) {
    gone()
    throw error
  }
}

function streamed(source: AsyncIterator<Uint8Array>, type: string, { gone }: Reader): Response {
  return new Response(byteStream(ending(source, gone), gone), { headers: { 'content-type': type } })
}

/** A stream that ends by itself leaves nothing behind either. */
async function* ending(source: AsyncIterator<Uint8Array>, ended: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* { [Symbol.asyncIterator]: () => source }
  } finally {
    ended()
  }
}

/** Takes the first chunk before the answer begins, so that what is not there is a 404 and not a torn stream. */
async function started(source: AsyncIterable<Uint8Array>): Promise<AsyncIterator<Uint8Array>> {
  const rest = source[Symbol.asyncIterator]()
  const first = await rest.next()
  async function* all(): AsyncGenerator<Uint8Array> {
    if (first.done) return
    yield first.value
    yield* { [Symbol.asyncIterator]: () => rest }
  }
  return all()
}
