import { z } from 'zod'
import { CliError, EXIT, messageOf } from './exit.ts'

/** Deadlines of one request: reads come from memory; verbs may fetch from git first. */
const READ_MS = 30_000
const VERB_MS = 300_000

const Problem = z.object({ detail: z.string(), code: z.string() })
const EXIT_OF: Readonly<Record<string, number>> = { NotFound: EXIT.notFound, Conflict: EXIT.notFound, Invalid: EXIT.usage }

/** A refusal of the control plane, already with its exit code. */
export class ServerRefusal extends CliError {
  override name = 'ServerRefusal'
  readonly code: string
  constructor(code: string, message: string) {
    super(EXIT_OF[code] ?? EXIT.error, message)
    this.code = code
  }
}

/** Nothing answers at the server's address. */
export class Unreachable extends CliError {
  override name = 'Unreachable'
}

/** True when asking again later may help: nobody answers, or nobody leads. */
export const isAway = (error: unknown): boolean =>
  error instanceof Unreachable || (error instanceof ServerRefusal && error.code === 'Unavailable')

export interface Client {
  readonly url: string
  /** The answer as it was sent, after a check that it has the shape. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>
  post<T>(path: string, body: object, schema: z.ZodType<T>): Promise<T>
  /** Text of a long answer as it arrives; ends on abort. @throws Unreachable when the connection breaks. */
  stream(path: string, signal: AbortSignal): Promise<AsyncIterable<string>>
}

export interface ClientOptions {
  readonly url: string
  readonly fetch: typeof fetch
  readonly signal: AbortSignal
}

export function createClient({ url, fetch, signal }: ClientOptions): Client {
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    const answer = await reach(url, () => fetch(`${url}${path}`, init))
    if (!answer.ok) throw await refusalOf(answer)
    return answer
  }
  const until = (ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)])
  const read = async <T>(answer: Promise<Response>, schema: z.ZodType<T>): Promise<T> => checked(await (await answer).json(), schema)
  return {
    url,
    get: (path, schema) => read(ask(path, { signal: until(READ_MS) }), schema),
    post: (path, body, schema) => {
      const headers = { 'content-type': 'application/json' }
      return read(ask(path, { method: 'POST', headers, body: JSON.stringify(body), signal: until(VERB_MS) }), schema)
    },
    stream: async (path, aborted) => textOf(url, await ask(path, { signal: aborted }), aborted),
  }
}

async function reach(url: string, call: () => Promise<Response>): Promise<Response> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) throw error
    throw unreachable(url, error)
  }
}

function unreachable(url: string, error: unknown): Unreachable {
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error)
  const hint = 'start one with `drover up --repo PATH`, or set --server or DROVER_SERVER'
  return new Unreachable(EXIT.error, `no control plane answers at ${url}${cause === '' ? '' : ` (${cause})`}`, hint)
}

async function refusalOf(answer: Response): Promise<CliError> {
  const text = await answer.text()
  const problem = Problem.safeParse(jsonOf(text))
  if (problem.success) return new ServerRefusal(problem.data.code, problem.data.detail)
  return new CliError(
    EXIT.error,
    `the server at ${new URL(answer.url || 'http://unknown').host} answered ${answer.status}, and not as Drover does`,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The value itself and not the parsed one, so that fields a newer server adds are printed too. */
function checked<T>(value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value)
  if (result.success) return value as T
  throw new CliError(
    EXIT.error,
    `the server's answer is not understood: ${z.prettifyError(result.error)}`,
    'is it of the same version? `drover version` tells',
  )
}

async function* textOf(url: string, answer: Response, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  try {
    for await (const chunk of untilAborted(answer.body ?? new ReadableStream<Uint8Array>(), signal))
      yield decoder.decode(chunk, { stream: true })
  } catch (error) {
    if (!signal.aborted) throw unreachable(url, error)
  }
}

/** A read that waits does not outlive the signal, whatever the transport makes of it. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const chunks = source[Symbol.asyncIterator]()
  const aborted = new Promise<'aborted'>((resolve) => signal.addEventListener('abort', () => resolve('aborted'), { once: true }))
  try {
    while (!signal.aborted) {
      const next = await Promise.race([chunks.next(), aborted])
      if (next === 'aborted' || next.done) return
      yield next.value
    }
  } finally {
    if (!signal.aborted) await chunks.return?.()
  }
}
