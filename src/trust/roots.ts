import { createHash, X509Certificate } from 'node:crypto'
import { TrustError } from './trust-error.ts'

/** More than rotation ever makes; a bundle of more is not ours. */
const ROOTS_MAX = 10
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/** Base64url SHA-256 of the SubjectPublicKeyInfo (RFC 7469 §2.4): the key's name, whatever certificate carries it. */
export const pinOf = ({ publicKey }: X509Certificate): string =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')

/** SHA-256 of the certificate, in hex. */
export const fingerprintOf = ({ raw }: X509Certificate): string => createHash('sha256').update(raw).digest('hex')

/** The certificates of a PEM text. @throws TrustError `NotTrusted` for one that holds none, or no roots. */
export function rootsIn(bundle: string): X509Certificate[] {
  const found = (bundle.match(CERTIFICATE) ?? []).map(parsed)
  if (found.length === 0 || found.length > ROOTS_MAX || !found.every(isRoot))
    throw new TrustError('NotTrusted', 'the server sent something else than the root certificates of a cluster')
  return found
}

function parsed(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new TrustError('NotTrusted', 'the server sent a certificate that cannot be read', { cause })
  }
}

const isRoot = (certificate: X509Certificate): boolean =>
  certificate.ca && certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)

export const bundleOf = (roots: readonly X509Certificate[]): string => roots.map((root) => root.toString()).join('')

/**
 * The roots to trust, by the pin of a token. `ask` fetches `/trust/v1/roots`, trusting anybody (null) or only the given
 * root; whoever sits in between can add a root of his own to the first answer, so only what the pin names is taken of it.
 * @throws TrustError `NotTrusted` when the server has no root of that pin
 */
export async function rootsByPin(pin: string, ask: (trusted: string | null) => Promise<string>): Promise<string> {
  const pinned = rootsIn(await ask(null)).find((root) => pinOf(root) === pin)
  if (pinned === undefined) {
    throw new TrustError(
      'NotTrusted',
      'the server is not of the cluster that the token was made in, or that cluster has dropped the root it had then: make another token there',
    )
  }
  return bundleOf(rootsIn(await ask(pinned.toString())))
}
