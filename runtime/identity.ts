import { X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../src/lib/durable-file.ts'
import { nullOn } from '../src/lib/errors.ts'
import type { AgentId, Millis } from '../src/model/ids.ts'
import type { IssuedCertificate } from '../src/model/trust-wire.ts'
import { claimOf, endOf } from '../src/trust/identity.ts'
import type { TlsIdentity } from './https.ts'

/** Who an agent is in its cluster. */
export interface Identity {
  readonly agent: AgentId
  readonly cluster: string
  /** With certificate and key of the agent, and the roots it believes. */
  readonly tls: TlsIdentity
  /** Opens secret values that are meant for this agent. */
  readonly sealKey: Buffer
  /** Of the certificate. */
  readonly validFrom: Millis
  readonly validUntil: Millis
}

const KEY = 'key.pem'
const CERTIFICATE = 'cert.pem'
const ROOTS = 'roots.pem'
const SEAL_KEY = 'seal.key'

/** Null: this machine never joined. @throws Error when the files are not whole */
export async function readIdentity(dir: string): Promise<Identity | null> {
  const certificate = await readFile(join(dir, CERTIFICATE), 'utf8').catch(nullOn('ENOENT'))
  if (certificate === null) return null
  const texts = await Promise.all([KEY, ROOTS, SEAL_KEY].map((name) => readFile(join(dir, name), 'utf8')))
  const [key = '', ca = '', sealKey = ''] = texts
  return identityOf({ dir, certificate, key, ca, sealKey })
}

function identityOf(parts: { dir: string; certificate: string; key: string; ca: string; sealKey: string }): Identity {
  const certificate = new X509Certificate(parts.certificate)
  const claim = claimOf(certificate)
  if (claim === null)
    throw new Error(`${join(parts.dir, CERTIFICATE)} is not the certificate of an agent; remove ${parts.dir} and join again`)
  return {
    ...claim,
    tls: { ca: parts.ca, cert: parts.certificate, key: parts.key },
    sealKey: Buffer.from(parts.sealKey.trim(), 'hex'),
    validFrom: Date.parse(certificate.validFrom),
    validUntil: endOf(certificate),
  }
}

/**
 * Keeps what a control plane issued for the key (PKCS #8, PEM), and returns it as identity. The certificate is written
 * last, so one that is there has all that belongs to it; renewals keep the key, so no crash leaves a pair that does not fit.
 */
export async function keepIdentity(dir: string, key: string, issued: IssuedCertificate): Promise<Identity> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeDurably(join(dir, KEY), key)
  await writeDurably(join(dir, ROOTS), issued.roots)
  await writeDurably(join(dir, SEAL_KEY), `${issued.key}\n`)
  await writeDurably(join(dir, CERTIFICATE), issued.certificate)
  return identityOf({ dir, certificate: issued.certificate, key, ca: issued.roots, sealKey: issued.key })
}
