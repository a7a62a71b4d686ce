import type { Context } from 'hono'
import type { Api, ApiEnv, ApiParts } from './parts.ts'
import { NoQuery, parseRequest } from './problem.ts'
import { IdParam, LogsQuery, OidParam } from './schemas.ts'
import { byteStream, changeEvents, ndjson } from './streams.ts'

/** Answers that go on: log lines, change events, packed trees. They end when the client goes or the server stops. */
export function streamRoutes(api: Api, { control, gate, clock }: ApiParts): void {
  api.get('/api/v1/tasks/:id/logs', async (c) => {
    const { id } = parseRequest(IdParam, c.req.param())
    const options = parseRequest(LogsQuery, c.req.query())
    const reader = readerOf(c)
    const lines = await control.logs(id, options, reader.signal)
    return streamed(ndjson(lines), 'application/x-ndjson', reader.gone)
  })
  api.get('/api/v1/watch', (c) => {
    parseRequest(NoQuery, c.req.query())
    const reader = readerOf(c)
    const events = changeEvents(control.changes(reader.signal), clock, reader.signal)
    return streamed(events, 'text/event-stream', reader.gone)
  })
  api.get('/agent/v1/trees/:oid', async (c) => {
    const { oid } = parseRequest(OidParam, c.req.param())
    const reader = readerOf(c)
    const packed = await started(gate.tree(oid, reader.signal))
    return streamed(packed, 'application/octet-stream', reader.gone)
  })
}

interface Reader {
  readonly signal: AbortSignal
  /** Say that the reader has gone. */
  readonly gone: () => void
}

function readerOf(c: Context<ApiEnv>): Reader {
  const controller = new AbortController()
  // Undefined where no server carries the app, as in `app.request`.
  const env: ApiEnv['Bindings'] | undefined = c.env
  const signals = [controller.signal, c.req.raw.signal, env?.shutdown].filter((signal) => signal !== undefined)
  return { signal: AbortSignal.any(signals), gone: () => controller.abort(new Error('the reader has gone')) }
}

function streamed(source: AsyncIterator<Uint8Array>, type: string, onCancel: () => void): Response {
  return new Response(byteStream(source, onCancel), { headers: { 'content-type': type } })
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
