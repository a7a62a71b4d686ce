import type { Clock } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Keyring } from '../../lib/seal.ts'
import { pause } from '../../lib/waits.ts'
import { tablePrefix } from '../../store/keys.ts'
import type { Store } from '../../store/store.ts'
import { Authority, createRoot, type ServerCertificate } from '../../trust/authority.ts'
import { readRoots, storedRoots } from './first-root.ts'

/** How often it is looked whether the certificate is to be renewed: a small part of its life of weeks. */
const LOOK_EVERY_MS = 3_600_000
/** A store that is away must not make a busy loop. */
const AFTER_A_FAILURE_MS = 1_000

export interface ServerTrustDeps {
  readonly store: Store
  readonly keyring: Keyring
  readonly clock: Clock
  readonly log: Logger
  readonly cluster: string
  /** Names and addresses that clients reach this server by. */
  readonly hosts: readonly string[]
}

/** What TLS of this server works with, PEM. */
export interface TlsMaterial {
  readonly key: string
  readonly chain: string
  readonly roots: string
}

/** The authority of the cluster as the store has it now, and this server's own certificate; of leaders and standbys alike. */
export class ServerTrust {
  readonly #deps: ServerTrustDeps
  readonly #listeners = new Set<() => void>()
  #authority: Authority
  #certificate: ServerCertificate
  #revision: string

  private constructor(deps: ServerTrustDeps, parts: { authority: Authority; certificate: ServerCertificate; revision: string }) {
    this.#deps = deps
    this.#authority = parts.authority
    this.#certificate = parts.certificate
    this.#revision = parts.revision
  }

  /** @throws TerminalError `SecretUnreadable` when the keyring is not the cluster's. */
  static async open(deps: ServerTrustDeps): Promise<ServerTrust> {
    const { store, keyring, clock, cluster, hosts } = deps
    const { records, revision } = await storedRoots(store, () => createRoot({ cluster, keyring, now: clock.now(), before: null }))
    const authority = await Authority.open(records, { cluster, keyring, now: clock.now() })
    return new ServerTrust(deps, { authority, certificate: await authority.issueServer(hosts, clock.now()), revision })
  }

  get authority(): Authority {
    return this.#authority
  }

  get tls(): TlsMaterial {
    const { key, chain } = this.#certificate
    return { key, chain, roots: this.#authority.bundle }
  }

  /** Called whenever `tls` has changed; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Follows the roots in the store and renews the certificate, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#followRoots(signal), this.#renew(signal)])
  }

  async #followRoots(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#deps
    while (!signal.aborted) {
      try {
        const from = String(BigInt(this.#revision) + 1n)
        for await (const _ of store.watch(tablePrefix('authorities'), { from, signal })) await this.#reload()
      } catch (error) {
        if (signal.aborted) return
        log.warn({ error: messageOf(error) }, 'roots not followed')
        await pause(clock, AFTER_A_FAILURE_MS, signal)
        await this.#reload().catch((cause: unknown) => log.warn({ error: messageOf(cause) }, 'roots not read'))
      }
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    while (!signal.aborted) {
      await pause(clock, LOOK_EVERY_MS, signal)
      if (signal.aborted || clock.now() < this.#certificate.renewAt) continue
      await this.#take(this.#authority)
      log.info({ until: new Date(this.#certificate.expiresAt).toISOString() }, 'server certificate renewed')
    }
  }

  async #reload(): Promise<void> {
    const { store, keyring, clock, cluster } = this.#deps
    const { records, revision } = await readRoots(store)
    await this.#take(await Authority.open(records, { cluster, keyring, now: clock.now() }))
    this.#revision = revision
  }

  async #take(authority: Authority): Promise<void> {
    this.#certificate = await authority.issueServer(this.#deps.hosts, this.#deps.clock.now())
    this.#authority = authority
    for (const tell of this.#listeners) tell()
  }
}
