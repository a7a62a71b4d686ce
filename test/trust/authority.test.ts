import 'reflect-metadata'
import { generateKeyPairSync, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type RequestOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { createKeyring, KEY_BYTES } from '../../src/lib/seal.ts'
import type { AgentId } from '../../src/model/ids.ts'
import type { AuthorityRecord } from '../../src/model/trust.ts'
import { AGENT_LIFE, Authority, createRoot } from '../../src/trust/authority.ts'
import { newKeyWithRequest } from '../../src/trust/csr.ts'
import { agentOf } from '../../src/trust/identity.ts'
import { pinOf, rootsByPin, rootsIn } from '../../src/trust/roots.ts'

const HOUR = 3_600_000
const now = Date.now()
const keyring = createKeyring(randomBytes(KEY_BYTES))
const of = { cluster: 'abc', keyring, now }
const web = 'web-1' as AgentId

async function authority(cluster = 'abc'): Promise<{ record: AuthorityRecord; open: Authority }> {
  const record = await createRoot({ ...of, cluster, before: null })
  return { record, open: await Authority.open([record], { ...of, cluster }) }
}

/** What follows the first: both are believed, the new one signs. */
async function rotated(first: { record: AuthorityRecord; open: Authority }) {
  const record = await createRoot({ ...of, now: now + 1_000, before: first.open })
  return { record, open: await Authority.open([record, { ...first.record, state: 'Retiring' }], of) }
}

let first: { record: AuthorityRecord; open: Authority }
beforeAll(async () => {
  first = await authority()
})

describe('a certificate for an agent', () => {
  const issued = async (by = first.open) => new X509Certificate(await by.issueAgent(web, { csr: (await newKeyWithRequest()).csr, now }))
  const judge = (certificate: X509Certificate, change: Partial<Parameters<typeof agentOf>[1]> = {}) =>
    agentOf(certificate, { cluster: 'abc', roots: first.open.roots, now, ...change })

  it('names the agent and lasts a day', async () =>
    expect(judge(await issued())).toEqual({ agent: web, expiresAt: Math.floor((now + AGENT_LIFE) / 1000) * 1000 }))

  it('is good already for a machine whose clock is four minutes behind', async () =>
    expect(judge(await issued(), { now: now - 240_000 }).agent).toBe(web))

  it('is refused after its day', async () =>
    expect(async () => judge(await issued(), { now: now + 25 * HOUR })).rejects.toThrow(/has expired: join again/))

  it('is refused where the clock is far behind, with a hint at the clocks', async () =>
    expect(async () => judge(await issued(), { now: now - HOUR })).rejects.toThrow(/clock/))

  it('of another cluster is refused', async () => {
    const other = await authority('other')
    await expect(async () => judge(await issued(other.open))).rejects.toThrow(/not issued by this cluster/)
    await expect(async () => judge(await issued(other.open), { roots: other.open.roots })).rejects.toThrow(
      /not that of an agent of this cluster/,
    )
  })

  it('is not what a server has', async () => {
    const server = await first.open.issueServer(['localhost'], now)
    expect(() => judge(new X509Certificate(server.chain))).toThrow(/not that of an agent/)
  })

  it('is not what somebody made with the cluster’s names and a root of his own', async () => {
    const forged = await authority('abc')
    await expect(async () => judge(await issued(forged.open))).rejects.toThrow(/not issued by this cluster/)
  })

  it('says only what the server wants, whatever was asked for', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
    const request = await Pkcs10CertificateRequestGenerator.create(
      {
        name: 'CN=admin, O=system:masters',
        keys,
        signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
        extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: 'drover://abc/agent/other' }])],
      },
      webcrypto,
    )
    const certificate = new X509Certificate(await first.open.issueAgent(web, { csr: request.toString('pem'), now }))
    expect(certificate.subject).toBe('CN=web-1')
    expect(certificate.subjectAltName).toBe('URI:drover://abc/agent/web-1')
    expect(certificate.ca).toBe(false)
  })

  it('is not issued for a key whose holder did not sign', async () => {
    const [mine, other] = [await newKeyWithRequest(), await newKeyWithRequest()]
    const der = (pem: string) => Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64')
    // The other's key in my request: the signature is not by it any more.
    const keyAt = der(mine.csr).indexOf(Buffer.from([0x03, 0x42, 0x00, 0x04]))
    const forged = Buffer.concat([
      der(mine.csr).subarray(0, keyAt),
      der(other.csr).subarray(keyAt, keyAt + 68),
      der(mine.csr).subarray(keyAt + 68),
    ])
    const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${forged.toString('base64')}\n-----END CERTIFICATE REQUEST-----`
    await expect(first.open.issueAgent(web, { csr, now })).rejects.toThrow(/not signed with its own key/)
  })

  it('is not issued for a key of another kind', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, ['sign', 'verify'])
    const request = await Pkcs10CertificateRequestGenerator.create(
      { keys, signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' } },
      webcrypto,
    )
    await expect(first.open.issueAgent(web, { csr: request.toString('pem'), now })).rejects.toThrow(/P-256/)
  })

  it.each([
    'nonsense',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  ])('is not issued for %j', (csr) => expect(first.open.issueAgent(web, { csr, now })).rejects.toThrow(/no certificate request/))
})

describe('the key of the authority', () => {
  it('is not in its record', () => expect(JSON.stringify(first.record)).not.toContain('PRIVATE'))

  it('opens with the keyring of its cluster only', () =>
    expect(Authority.open([first.record], { ...of, keyring: createKeyring(randomBytes(KEY_BYTES)) })).rejects.toThrow(
      /sealed with the key/,
    ))
})

describe('the roots of a server', () => {
  it('are known by the pin of the token', async () => {
    const { open } = await rotated(first)
    const asked: (string | null)[] = []
    const bundle = await rootsByPin(first.open.pin, async (trusted) => {
      asked.push(trusted)
      return open.bundle
    })
    expect(rootsIn(bundle).map(pinOf)).toEqual(rootsIn(open.bundle).map(pinOf))
    expect(asked).toEqual([null, first.record.certificate])
  })

  it('are not those that somebody in between adds', async () => {
    const evil = await authority()
    const trusted = await rootsByPin(first.open.pin, async (root) =>
      root === null ? evil.open.bundle + first.open.bundle : first.open.bundle,
    )
    expect(rootsIn(trusted).map(pinOf)).toEqual([first.open.pin])
  })

  it('of another cluster are refused', async () =>
    expect(rootsByPin(first.open.pin, async () => (await authority()).open.bundle)).rejects.toThrow(
      /not of the cluster that the token was made in/,
    ))

  it.each(['', 'nonsense', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])('are not read from %j', (bundle) =>
    expect(() => rootsIn(bundle)).toThrow(/server sent/),
  )

  it('are roots, and no certificate that one issued', async () => {
    const { chain } = await first.open.issueServer(['localhost'], now)
    expect(() => rootsIn(chain)).toThrow(/something else than the root certificates/)
  })
})

/** Asks a server that has this certificate; the answer tells whose certificate the caller had. */
async function asking(by: Authority, ask: RequestOptions): Promise<string> {
  const { key, chain } = await by.issueServer(['localhost', '127.0.0.1'], now)
  const server = createServer({ key, cert: chain, requestCert: true, rejectUnauthorized: false }, (request, response) =>
    response.end((request.socket as TLSSocket).getPeerX509Certificate()?.subjectAltName ?? 'nobody'),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo
    return await new Promise((resolve, reject) =>
      get({ host: '127.0.0.1', port, agent: false, ...ask }, (response) => text(response).then(resolve, reject)).once('error', reject),
    )
  } finally {
    server.close()
  }
}

describe('over TLS', () => {
  it('a server is believed by who has the root, under each of its names', async () => {
    expect(await asking(first.open, { ca: first.open.bundle })).toBe('nobody')
    expect(await asking(first.open, { ca: first.open.bundle, servername: 'localhost', host: 'localhost', family: 4 })).toBe('nobody')
  })

  it('a server is not believed under another name, or by who has another root', async () => {
    await expect(asking(first.open, { ca: first.open.bundle, servername: 'example.org' })).rejects.toThrow(/altnames/)
    await expect(asking(first.open, { ca: (await authority()).open.bundle })).rejects.toThrow(/certificate/)
  })

  it('an agent shows who it is', async () => {
    const { key, csr } = await newKeyWithRequest()
    const cert = await first.open.issueAgent(web, { csr, now })
    expect(await asking(first.open, { ca: first.open.bundle, key, cert })).toBe('URI:drover://abc/agent/web-1')
  })

  it('a server with the next root is believed by who knows only the old one, and by who knows only the new', async () => {
    const next = await rotated(first)
    expect(next.open.pin).not.toBe(first.open.pin)
    expect(await asking(next.open, { ca: first.record.certificate })).toBe('nobody')
    expect(await asking(next.open, { ca: next.record.certificate })).toBe('nobody')
  })
})
