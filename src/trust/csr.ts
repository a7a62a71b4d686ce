import 'reflect-metadata'
import { createPublicKey, webcrypto } from 'node:crypto'
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator, type PublicKey } from '@peculiar/x509'
import { messageOf } from '../lib/errors.ts'
import { KEY_ALGORITHM, newKeys, privateKeyOf, privatePem, SIGNATURE_ALGORITHM } from './keys.ts'
import { TrustError } from './trust-error.ts'

export interface KeyWithRequest {
  /** PKCS #8, PEM; it never leaves the machine. */
  readonly key: string
  /** PKCS #10, PEM. */
  readonly csr: string
}

/** A new key, and a request that proves that its maker holds it. The server decides what the certificate says. */
export async function newKeyWithRequest(): Promise<KeyWithRequest> {
  const keys = await newKeys()
  return { key: await privatePem(keys), csr: await requestOf(keys) }
}

/** A request for a key there is already (PKCS #8, PEM), as for a renewal. */
export async function requestFor(key: string): Promise<string> {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const publicKey = await webcrypto.subtle.importKey('spki', spki, KEY_ALGORITHM, true, ['verify'])
  return requestOf({ publicKey, privateKey: await privateKeyOf(key) })
}

async function requestOf(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: SIGNATURE_ALGORITHM }, webcrypto)
  return `${request.toString('pem')}\n`
}

/**
 * The key of a request; whatever else it asks for is not looked at.
 * @throws TrustError `BadRequest` unless it is a P-256 key and the request is signed with it
 */
export async function keyRequested(csr: string): Promise<PublicKey> {
  const request = parsed(csr)
  const { algorithm } = request.publicKey
  if (algorithm.name !== KEY_ALGORITHM.name || !('namedCurve' in algorithm) || algorithm.namedCurve !== KEY_ALGORITHM.namedCurve)
    throw new TrustError('BadRequest', 'the certificate request must be for an ECDSA key on P-256')
  if (!(await signed(request))) throw new TrustError('BadRequest', 'the certificate request is not signed with its own key')
  return request.publicKey
}

function parsed(csr: string): Pkcs10CertificateRequest {
  try {
    return new Pkcs10CertificateRequest(csr)
  } catch (cause) {
    throw new TrustError('BadRequest', `csr is no certificate request in PEM: ${messageOf(cause)}`, { cause })
  }
}

/** A signature of another algorithm is none. */
async function signed(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify(webcrypto)
  } catch {
    return false
  }
}
