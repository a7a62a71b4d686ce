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
  constructor(code: string, message: string, hint: string | null) {
    super(EXIT_OF[code] ?? EXIT.error, message, hint)
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
  /** Over TLS it believes servers of the cluster alone, for the token goes wherever they send it. */
  readonly fetch: typeof fetch
  /** Null: the server asks for none. */
  readonly token: string | null
  readonly signal: AbortSignal
}

export function createClient({ url, fetch, token, signal }: ClientOptions): Client {
  const ask = async (path: string, { headers, ...init }: RequestInit): Promise<Response> => {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` }
    const answer = await follow(`${url}${path}`, (target) =>
      reach(new URL(target).origin, () => fetch(target, { ...init, headers: { ...headers, ...authorization }, redirect: 'manual' })),
    )
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

/** A standby sends to the leader, which may change on the way. */
const HOPS_MAX = 5

/** Asks again where the answer points to, over the same or a better transport. */
async function follow(target: string, ask: (target: string) => Promise<Response>, hops = 0): Promise<Response> {
  const answer = await ask(target)
  const location = answer.status === 307 ? answer.headers.get('location') : null
  if (location === null) return answer
  const next = new URL(location, target)
  if (hops >= HOPS_MAX) throw new CliError(EXIT.error, `the servers send requests to one another and none answers; the last was ${target}`)
  if (new URL(target).protocol === 'https:' && next.protocol !== 'https:')
    throw new CliError(
      EXIT.error,
      `${new URL(target).origin} sends to ${next.origin}, where a token would be read by others`,
      'mend its --advertise',
    )
  await answer.body?.cancel()
  return follow(next.href, ask, hops + 1)
}

async function reach(url: string, call: () => Promise<Response>): Promise<Response> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')) throw error
    throw unreachable(url, error)
  }
}

export function unreachable(url: string, error: unknown): CliError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const text = messageOf(cause)
  const why = text === '' ? '' : ` (${text})`
  if (isDistrust(cause)) {
    const hint = `if it is yours, log in again with a token of its cluster: drover login ${url} --token-file FILE`
    return new CliError(EXIT.error, `the server at ${url} is not one that is trusted here${why}`, hint)
  }
  const hint = 'start one with `drover up --repo PATH`, or set --server or DROVER_SERVER'
  return new Unreachable(EXIT.error, `no control plane answers at ${url}${why}`, hint)
}

/** What Node says of a certificate of other roots, of another name, or one that has ended. */
const DISTRUST = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_ALTNAME_INVALID$)/

const isDistrust = (error: unknown): boolean => error instanceof Error && 'code' in error && DISTRUST.test(String(error.code))

const LOG_IN = 'drover login URL --token-file FILE keeps a new one; an admin makes it: drover token create --role ROLE'

async function refusalOf(answer: Response): Promise<CliError> {
  const text = await answer.text()
  const problem = Problem.safeParse(jsonOf(text))
  if (problem.success)
    return new ServerRefusal(problem.data.code, problem.data.detail, problem.data.code === 'Unauthorized' ? LOG_IN : null)
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
