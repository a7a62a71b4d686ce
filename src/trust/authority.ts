import 'reflect-metadata'
import { webcrypto, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  type Name,
  type PublicKey,
  X509Certificate as SigningCertificate,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { must } from '../lib/must.ts'
import type { Keyring } from '../lib/seal.ts'
import type { AgentId } from '../model/ids.ts'
import type { AuthorityRecord } from '../model/trust.ts'
import { keyRequested } from './csr.ts'
import { agentUri, serverUri } from './identity.ts'
import { newKeys, privateKeyOf, privatePem, SIGNATURE_ALGORITHM } from './keys.ts'
import { bundleOf, fingerprintOf, pinOf } from './roots.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const ROOT_LIFE = 3_650 * DAY
const SERVER_LIFE = 30 * DAY
/** Short, because nothing takes a certificate back before it ends. */
export const AGENT_LIFE = DAY
/** How far the clock of a machine may be behind that of the servers. */
const SKEW = 300_000

const signer = X509CertificateGenerator
const digitalSignature = new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)
const notAuthority = new BasicConstraintsExtension(false, undefined, true)
const authorityExtensions = (): Extension[] => [
  new BasicConstraintsExtension(true, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
]

export interface NewRoot {
  readonly cluster: string
  readonly keyring: Keyring
  /** Milliseconds since 1970. */
  readonly now: number
  /** The authority whose place it takes; it certifies the new root for those who know only the old. */
  readonly before: Authority | null
}

/** A new root, active from now on. The roots before it are for the caller to retire. */
export async function createRoot({ cluster, keyring, now, before }: NewRoot): Promise<AuthorityRecord> {
  const keys = await newKeys()
  const name = rootName(cluster, now)
  const notAfter = now + ROOT_LIFE
  const certificate = await issue({
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    life: [now, notAfter],
    extensions: authorityExtensions(),
  })
  const id = fingerprintOf(new X509Certificate(certificate))
  return {
    id,
    certificate,
    crossSigned: before === null ? null : await before.certifyRoot({ subject: name, publicKey: keys.publicKey, now }),
    key: keyring.seal(`authority/${id}`, await privatePem(keys)),
    state: 'Active',
    createdAt: now,
    expiresAt: notAfter,
    retiredAt: null,
  }
}

/** Two roots of a cluster are told apart by when they were made. */
const rootName = (cluster: string, now: number): string =>
  `CN=Drover root ${new Date(now).toISOString().replaceAll(/[-:]/g, '')}, O=drover ${cluster}`

interface Subject {
  readonly subject: string
  readonly issuer: string | Name
  readonly publicKey: webcrypto.CryptoKey | PublicKey
  readonly signingKey: webcrypto.CryptoKey
  /** From and until, milliseconds since 1970. */
  readonly life: readonly [number, number]
  readonly extensions: Extension[]
}

async function issue({ life, ...subject }: Subject): Promise<string> {
  const [from, until] = life
  const certificate = await signer.create(
    { ...subject, notBefore: new Date(from - SKEW), notAfter: new Date(until), signingAlgorithm: SIGNATURE_ALGORITHM },
    webcrypto,
  )
  return `${certificate.toString('pem')}\n`
}

export interface ServerCertificate {
  /** PKCS #8, PEM. */
  readonly key: string
  /** The server's own and what leads from it to an older root, PEM. */
  readonly chain: string
  /** Milliseconds since 1970; time to issue another is when two thirds of its life have passed. */
  readonly expiresAt: number
  readonly renewAt: number
}

/** The roots of a cluster, the newest of which signs. Holds its key in memory. */
export class Authority {
  readonly cluster: string
  readonly roots: readonly X509Certificate[]
  /** All of them, PEM. */
  readonly bundle: string
  readonly #active: AuthorityRecord
  readonly #certificate: X509Certificate
  readonly #name: Name
  readonly #key: webcrypto.CryptoKey

  private constructor(cluster: string, parts: { records: readonly AuthorityRecord[]; active: AuthorityRecord; key: webcrypto.CryptoKey }) {
    this.cluster = cluster
    this.roots = parts.records.map(({ certificate }) => new X509Certificate(certificate))
    this.bundle = bundleOf(this.roots)
    this.#active = parts.active
    this.#certificate = new X509Certificate(parts.active.certificate)
    this.#name = new SigningCertificate(parts.active.certificate).subjectName
    this.#key = parts.key
  }

  /**
   * @param records one active, and those that retire. Roots that have ended at `now` (milliseconds since 1970) are left out.
   * @throws TerminalError `SecretUnreadable` when the keyring is not the cluster's
   */
  static async open(records: readonly AuthorityRecord[], of: { cluster: string; keyring: Keyring; now: number }): Promise<Authority> {
    const current = records.filter(({ state, expiresAt }) => state === 'Active' || expiresAt > of.now)
    const newest = current.filter(({ state }) => state === 'Active').toSorted((a, b) => b.createdAt - a.createdAt)
    const active = must(newest[0], 'a cluster has an active root')
    return new Authority(of.cluster, { records: current, active, key: await privateKeyOf(of.keyring.open(active.key)) })
  }

  /** Names the active root in tokens. */
  get pin(): string {
    return pinOf(this.#certificate)
  }

  /** @param csr of the agent's key, PEM @throws TrustError `BadRequest` */
  async issueAgent(agent: AgentId, { csr, now }: { csr: string; now: number }): Promise<string> {
    return this.#issue(`CN=${agent}`, {
      publicKey: await keyRequested(csr),
      life: [now, Math.min(now + AGENT_LIFE, this.#active.expiresAt)],
      usage: ExtendedKeyUsage.clientAuth,
      names: [{ type: 'url', value: agentUri(this.cluster, agent) }],
    })
  }

  /** @param hosts names and addresses that clients reach the server by */
  async issueServer(hosts: readonly string[], now: number): Promise<ServerCertificate> {
    const keys = await newKeys()
    const expiresAt = Math.min(now + SERVER_LIFE, this.#active.expiresAt)
    const certificate = await this.#issue('CN=drover server', {
      publicKey: keys.publicKey,
      life: [now, expiresAt],
      usage: ExtendedKeyUsage.serverAuth,
      names: [...[...new Set(hosts)].map(hostName), { type: 'url', value: serverUri(this.cluster) }],
    })
    const chain = certificate + (this.#active.crossSigned ?? '')
    return { key: await privatePem(keys), chain, expiresAt, renewAt: now + (2 * (expiresAt - now)) / 3 }
  }

  /** The next root, as this one certifies it. */
  certifyRoot({ subject, publicKey, now }: { subject: string; publicKey: webcrypto.CryptoKey; now: number }): Promise<string> {
    return issue({
      subject,
      issuer: this.#name,
      publicKey,
      signingKey: this.#key,
      life: [now, this.#active.expiresAt],
      extensions: authorityExtensions(),
    })
  }

  #issue(
    subject: string,
    leaf: { publicKey: webcrypto.CryptoKey | PublicKey; life: Subject['life']; usage: ExtendedKeyUsage; names: JsonGeneralNames },
  ): Promise<string> {
    return issue({
      subject,
      issuer: this.#name,
      publicKey: leaf.publicKey,
      signingKey: this.#key,
      life: leaf.life,
      extensions: [
        notAuthority,
        digitalSignature,
        new ExtendedKeyUsageExtension([leaf.usage], true),
        new SubjectAlternativeNameExtension(leaf.names),
      ],
    })
  }
}

const hostName = (host: string): JsonGeneralNames[number] => (isIP(host) === 0 ? { type: 'dns', value: host } : { type: 'ip', value: host })
