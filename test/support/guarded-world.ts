import { Agent, fetch as send } from 'undici'
import { WebSocket } from 'ws'
import { createApi } from '../../src/api/app.ts'
import { type Serving, serveApi } from '../../src/api/serve.ts'
import type { ControlTrust } from '../../src/control/control.ts'
import { ServerTrust } from '../../src/control/trust/server-trust.ts'
import type { NewTokenRequest, TrustPlane } from '../../src/control/trust/trust-plane.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { type Logger, silentLog } from '../../src/lib/log.ts'
import { must } from '../../src/lib/must.ts'
import { guardOf } from '../../src/main/access.ts'
import type { AgentId } from '../../src/model/ids.ts'
import { newKeyWithRequest } from '../../src/trust/csr.ts'
import { World } from '../control/world.ts'
import type { Changes } from './git-repo.ts'
import { TEST_KEYRING } from './vault.ts'
import { waitUntil } from './wait-until.ts'

export const CLUSTER = 'test'
const CLUSTER_KEY = 'ab'.repeat(32)

export interface Identity {
  readonly key: string
  readonly cert: string
}

interface Asking {
  readonly token?: string
  readonly as?: Identity
  readonly method?: 'GET' | 'POST'
  readonly body?: object
  /** PEM; the cluster's unless told. */
  readonly roots?: string
  readonly signal?: AbortSignal
}

/** A real control plane that is reached over TLS, with the repository, store and leader of `World`. */
export class GuardedWorld {
  readonly world: World
  readonly trust: ControlTrust
  readonly serving: Serving
  /** Texts of the admin tokens that were left for the owner, the latest last. */
  readonly left: readonly string[]
  readonly #log: Logger
  readonly #dispatchers = new Map<string, Agent>()

  private constructor(parts: { world: World; trust: ControlTrust; serving: Serving; left: readonly string[]; log: Logger }) {
    this.world = parts.world
    this.trust = parts.trust
    this.serving = parts.serving
    this.left = parts.left
    this.#log = parts.log
  }

  static async open(
    files: Changes = {},
    { clock = systemClock, log = silentLog }: { clock?: Clock; log?: Logger } = {},
  ): Promise<GuardedWorld> {
    const world = new World()
    world.commit({ 'README.md': 'nothing', ...files }, 'first')
    const left: string[] = []
    const store = world.cluster.connect({ unreachable: false, losesReplies: false })
    const server = await ServerTrust.open({ store, keyring: TEST_KEYRING, clock, log, cluster: CLUSTER, hosts: ['localhost', '127.0.0.1'] })
    const trust = { server, keyring: TEST_KEYRING, clusterKey: CLUSTER_KEY, keepAdminToken: async (text: string) => void left.push(text) }
    const { control } = await world.server({ trust, log })
    const parts = { control: control.plane, gate: control.gate, leader: control.leader, guard: guardOf(control, trust), log, clock }
    const serving = await serveApi({ ...parts, api: createApi(parts), host: '127.0.0.1', port: 0 })
    await waitUntil(() => left.length > 0 && isGood(must(control.trust, 'it is guarded'), left[0]))
    return new GuardedWorld({ world, trust, serving, left, log })
  }

  /** Another server of the cluster, which sends everybody to the leader that it knows of. */
  async standby(leader: () => string | null): Promise<Serving> {
    const [server] = this.world.servers
    const { control } = must(server, 'one leads')
    const guard = guardOf(control, this.trust)
    const parts = {
      control: control.plane,
      gate: control.gate,
      leader: { leads: () => false, url: async () => leader() },
      guard,
      log: silentLog,
      clock: systemClock,
    }
    return serveApi({ ...parts, api: createApi(parts), host: '127.0.0.1', port: 0 })
  }

  get adminToken(): string {
    return must(this.left[0], 'a token was left')
  }

  /** Another process leads, on the same store; what is asked over TLS goes on to the first. */
  async restart(): Promise<void> {
    await this.world.servers.at(-1)?.stop()
    const { control } = await this.world.server({ trust: this.trust, log: this.#log })
    await waitUntil(() => control.leader.leads())
  }

  get plane(): TrustPlane {
    return must(this.world.servers.at(-1)?.control.trust, 'it is guarded')
  }

  get roots(): string {
    return this.trust.server.authority.bundle
  }

  /** Text of a new token. */
  async token(request: Partial<NewTokenRequest> & Pick<NewTokenRequest, 'kind'>): Promise<string> {
    const none = { name: null, role: null, namespaces: null, ttlSeconds: null, uses: null, actor: 'ann' }
    return (await this.plane.createToken({ ...none, ...request })).text
  }

  async ask(path: string, { token, as, method = 'GET', body, roots = this.roots, signal }: Asking = {}) {
    const dispatcher = this.#dispatcher(roots, as)
    const headers = { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(method === 'POST' ? JSON_TYPE : {}) }
    return send(`${this.serving.url}${path}`, {
      method,
      headers,
      dispatcher,
      redirect: 'manual',
      ...(method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  /** One for each who asks: a connection shows the certificate that it was opened with. */
  #dispatcher(roots: string, as: Identity | undefined): Agent {
    const name = `${roots}${as?.cert ?? ''}`
    const dispatcher = this.#dispatchers.get(name) ?? new Agent({ connect: { ca: roots, ...as } })
    this.#dispatchers.set(name, dispatcher)
    return dispatcher
  }

  async status(path: string, asking: Asking = {}): Promise<number> {
    const answer = await this.ask(path, asking)
    await answer.body?.cancel()
    return answer.status
  }

  /** A certificate for an agent, by the same authority. */
  async identity(agent: string, { now = Date.now() } = {}): Promise<Identity> {
    const { key, csr } = await newKeyWithRequest()
    return { key, cert: await this.trust.server.authority.issueAgent(agent as AgentId, { csr, now }) }
  }

  socket(path: string, as: Identity | null, headers: Record<string, string> = {}): WebSocket {
    return new WebSocket(`${this.serving.url.replace('https', 'wss')}${path}`, { ca: this.roots, ...as, headers, perMessageDeflate: false })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()))
    await this.serving.close()
    await this.world.close()
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

function isGood(trust: TrustPlane, token = ''): boolean {
  try {
    return trust.authenticate(token).role === 'admin'
  } catch {
    return false
  }
}
