import { Agent } from 'node:http'
import Dockerode from 'dockerode'
import type { Millis } from '../../../src/model/ids.ts'
import { engineError } from './errors.ts'

/** Longest that calls may take; a frozen daemon answers nothing for ever, and dockerode's own timeouts do not hold. */
export interface Deadlines {
  readonly call: Millis
  /** Create and start: a bridge network under load takes seconds. */
  readonly start: Millis
  readonly ping: Millis
  /** On top of the grace period. */
  readonly stop: Millis
}

export const DEADLINES: Deadlines = { call: 10_000, start: 60_000, ping: 5_000, stop: 15_000 }

interface CallOptions {
  /** `call` unless told. */
  readonly deadline?: keyof Deadlines
  /** Added to the deadline. */
  readonly extraMs?: Millis
  readonly signal?: AbortSignal
}

/** The daemon behind one unix socket. */
export interface Engine {
  /** For single calls: a bounded number of sockets, kept open. */
  readonly docker: Dockerode
  /** For streams, which would use those up. */
  readonly streams: Dockerode
  /**
   * Runs one call, which must pass the signal on; `what` completes "cannot ...".
   * @throws RetryableError, TerminalError as `engineError` says
   */
  call<T>(what: string, work: (signal: AbortSignal) => Promise<T>, options?: CallOptions): Promise<T>
  /** Plain GET of a JSON document, for the calls that dockerode cannot abort. @throws as `call` */
  get(what: string, path: string, options?: CallOptions): Promise<unknown>
  /** False when a new connection is refused or not answered: a daemon that ends still serves the open ones. */
  takesCalls(): Promise<boolean>
  /** Opens a stream: the deadline holds until it answers, the signal as long as it is read. */
  stream(what: string, open: (signal: AbortSignal) => Promise<NodeJS.ReadableStream>, signal: AbortSignal): Promise<NodeJS.ReadableStream>
  /** Cuts what is under way. */
  close(): void
}

const MAX_SOCKETS = 32

export function createEngine(socketPath: string, deadlines: Deadlines): Engine {
  const callAgent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS })
  const streamAgent = new Agent()
  const docker = connect(socketPath, callAgent)

  const call: Engine['call'] = async (what, work, { deadline = 'call', extraMs = 0, signal } = {}) => {
    const timeout = AbortSignal.timeout(deadlines[deadline] + extraMs)
    try {
      return await work(signal === undefined ? timeout : AbortSignal.any([timeout, signal]))
    } catch (error) {
      signal?.throwIfAborted()
      throw engineError(timeout.aborted ? timeout.reason : error, what)
    }
  }

  const streams = connect(socketPath, streamAgent)

  return {
    docker,
    streams,
    call,
    get: (what, path, options) => call(what, (abortSignal) => dial(docker, { path, abortSignal }), options),
    takesCalls: () =>
      dial(streams, { path: '/_ping', abortSignal: AbortSignal.timeout(deadlines.ping) }).then(
        () => true,
        () => false,
      ),
    async stream(what, open, signal) {
      const timeout = AbortSignal.timeout(deadlines.call)
      const late = new AbortController()
      const cut = (): void => late.abort(timeout.reason)
      timeout.addEventListener('abort', cut)
      try {
        return await open(AbortSignal.any([signal, late.signal]))
      } catch (error) {
        signal.throwIfAborted()
        throw engineError(timeout.aborted ? timeout.reason : error, what)
      } finally {
        timeout.removeEventListener('abort', cut)
      }
    },
    close() {
      callAgent.destroy()
      streamAgent.destroy()
    },
  }
}

/** `host` is blanked, for dockerode lets a DOCKER_HOST of the environment win over the socket it was given. */
function connect(socketPath: string, agent: Agent): Dockerode {
  const options = { socketPath, protocol: 'http' as const, host: undefined, agent }
  return new Dockerode(options)
}

interface GetRequest {
  readonly path: string
  readonly abortSignal: AbortSignal
  readonly isStream?: true
  readonly options?: Readonly<Record<string, unknown>>
}

/** One GET through dockerode's own client, with its errors. A path that takes `options` ends in `?`. */
export function dial(docker: Dockerode, request: GetRequest): Promise<unknown> {
  return new Promise((resolve, reject) => {
    docker.modem.dial({ ...request, method: 'GET', statusCodes: { 200: true } }, (error, result) =>
      error === null ? resolve(result) : reject(error),
    )
  })
}
