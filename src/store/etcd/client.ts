import { noop } from 'cockatiel'
import {
  Etcd3,
  type IResponseHeader,
  type IStatusResponse,
  type KVClient,
  type LeaseClient,
  type MaintenanceClient,
  type WatchClient,
} from 'etcd3'
import type { Clock } from '../../lib/clock.ts'
import { RetryableError, TerminalError } from '../../lib/errors.ts'
import { must } from '../../lib/must.ts'
import type { Millis } from '../../model/ids.ts'
import { MAX_VALUE_BYTES } from '../store.ts'
import { isDefinite } from './errors.ts'
import { Witness } from './witness.ts'

/** Deadline of each unary call, milliseconds. */
const CALL_DEADLINE_MS = 3000
const READ_ATTEMPTS = 3
const READ_PAUSE_MS = 100
/** Keys of one page of a listing; what one message may weigh follows from it. */
export const PAGE_KEYS = 500

/** etcd3's generated calls on one host; its own watch, election, retry and breaker lose events and lie about outcomes. */
export interface EtcdNode {
  readonly kv: KVClient
  readonly lease: LeaseClient
  readonly watch: WatchClient
  readonly maintenance: MaintenanceClient
  /** Aborts when calls move on to another host, or the client is closed. */
  readonly left: AbortSignal
}

/** One address, whichever is in use. */
export interface EtcdHost {
  readonly host: string
  readonly url: string
  readonly status: (timeoutMs: Millis) => Promise<IStatusResponse>
}

type Use<T> = (node: EtcdNode, options: { deadline: number }) => Promise<T>

const GRPC_OPTIONS = {
  // Never below 5 s: etcd answers faster pings with "excess pings" and drops the connection.
  'grpc.keepalive_time_ms': 6000,
  'grpc.keepalive_timeout_ms': 3000,
  // etcd counts a ping without an open stream against the client, and ends the connection at the third.
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.max_receive_message_length': (PAGE_KEYS + 100) * MAX_VALUE_BYTES,
}

/** How to speak to etcd; nothing given: plain, as nobody. */
export interface EtcdAccess {
  /** PEM. `ca` alone checks etcd; `cert` and `key` with it say who we are. Null: no TLS. */
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer | null; readonly key: Buffer | null } | null
  readonly user: { readonly name: string; readonly password: string } | null
}

export const OPEN_ACCESS: EtcdAccess = { tls: null, user: null }

const urlOf = (host: string, tls: EtcdAccess['tls']): string => `${tls === null ? 'http' : 'https'}://${host}`

function connect(host: string, { tls, user }: EtcdAccess, clock: Clock): Etcd3 {
  const callOptions = () => ({ deadline: clock.now() + CALL_DEADLINE_MS })
  const certificates = tls === null ? {} : { credentials: credentialsOf(tls) }
  const auth = user === null ? {} : { auth: { username: user.name, password: user.password, callOptions } }
  return new Etcd3({
    ...certificates,
    ...auth,
    hosts: urlOf(host, tls),
    grpcOptions: GRPC_OPTIONS,
    // Hidden retries turn an applied write into a reported failure; one large value opens the breaker for all calls.
    faultHandling: { global: noop, host: () => noop },
  })
}

const credentialsOf = ({ ca, cert, key }: NonNullable<EtcdAccess['tls']>) => ({
  rootCertificate: ca,
  ...(cert === null || key === null ? {} : { certChain: cert, privateKey: key }),
})

/** One client an etcd host, of which one is in use until a call to it fails. */
export class EtcdClient {
  readonly #clock: Clock
  readonly #access: EtcdAccess
  readonly #names: readonly string[]
  readonly #hosts: readonly Etcd3[]
  readonly #witness = new Witness()
  #index = 0
  #left = new AbortController()

  constructor(hosts: readonly string[], access: EtcdAccess, clock: Clock) {
    this.#clock = clock
    this.#access = access
    this.#names = hosts
    this.#hosts = hosts.map((host) => connect(host, access, clock))
  }

  hosts(): EtcdHost[] {
    return this.#hosts.map(({ maintenance }, index) => {
      const host = must(this.#names[index], 'each client has a host')
      return {
        host,
        url: urlOf(host, this.#access.tls),
        status: (timeoutMs) => maintenance.status({ deadline: this.#clock.now() + timeoutMs }),
      }
    })
  }

  node(): EtcdNode {
    const host = must(this.#hosts[this.#index], 'an etcd host')
    return { kv: host.kv, lease: host.leaseClient, watch: host.watchClient, maintenance: host.maintenance, left: this.#left.signal }
  }

  /** One attempt; after an error that is not definite, later calls go to the next host. */
  async once<T>(use: Use<T>, timeoutMs: Millis = CALL_DEADLINE_MS): Promise<T> {
    const node = this.node()
    try {
      return await use(node, { deadline: this.#clock.now() + timeoutMs })
    } catch (error) {
      if (!isDefinite(error)) this.leave(node)
      throw error
    }
  }

  /** One attempt of a call whose answer comes through the quorum. @throws TerminalError `StoreReplaced` */
  async onceWitnessed<T extends { header: IResponseHeader }>(use: Use<T>, timeoutMs: Millis = CALL_DEADLINE_MS): Promise<T> {
    const floor = this.#witness.revision
    const answer = await this.once(use, timeoutMs)
    this.#witness.check(answer.header, floor)
    return answer
  }

  /** For calls that change nothing. @throws TerminalError `StoreReplaced`, RetryableError after three attempts without an answer. */
  async read<T extends { header: IResponseHeader }>(use: Use<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.onceWitnessed(use)
      } catch (error) {
        if (isDefinite(error) || error instanceof TerminalError) throw error
        if (attempt === READ_ATTEMPTS) throw new RetryableError('etcd does not answer', { cause: error })
        await this.#clock.sleep(READ_PAUSE_MS * attempt)
      }
    }
  }

  /** Uses the next host from now on, unless that happened already. */
  leave(node: EtcdNode): void {
    if (this.#hosts.length === 1 || node.left.aborted) return
    this.#left.abort(new RetryableError('moved on to another etcd host'))
    this.#left = new AbortController()
    this.#index = (this.#index + 1) % this.#hosts.length
  }

  close(): void {
    for (const host of this.#hosts) host.close()
  }
}
