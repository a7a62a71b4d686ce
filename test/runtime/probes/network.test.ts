import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ProbeResult } from '../../../runtime/driver.ts'
import { type HttpCheck, httpProbe } from '../../../runtime/probes/http.ts'
import { networkProbe } from '../../../runtime/probes/network.ts'
import { tcpProbe } from '../../../runtime/probes/tcp.ts'
import { freePort } from '../../support/free-port.ts'
import { waitUntil } from '../../support/wait-until.ts'

const LOOPBACK = '127.0.0.1'
const never = (): AbortSignal => new AbortController().signal
const PASSED: ProbeResult = { passed: true }
const failed = (message: string) => ({ passed: false, message })

const servers: TcpServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function listen(server: TcpServer, host = LOOPBACK): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  servers.push(server)
  return (server.address() as AddressInfo).port
}

/** Ends only when nobody holds a connection any more, so a test that leaks one does not end. */
async function serve(answer: RequestListener): Promise<{ port: number; server: Server }> {
  const server = createHttpServer({ keepAliveTimeout: 600_000 }, answer)
  return { server, port: await listen(server) }
}

const check = (port: number, more: Partial<HttpCheck> = {}): HttpCheck => ({
  type: 'http',
  scheme: 'HTTP',
  host: null,
  port,
  path: '/ready?deep=1',
  headers: [],
  ...more,
})
const connections = (server: TcpServer) =>
  new Promise<number>((resolve, reject) => server.getConnections((e, n) => (e ? reject(e) : resolve(n))))

describe('an HTTP probe', () => {
  it.each([
    [199, false],
    [200, true],
    [204, true],
    [301, true],
    [399, true],
    [400, false],
    [503, false],
  ])('status %i: passed %s', async (status, passed) => {
    // Node's own server refuses to end with an informational status.
    const server = createTcpServer((socket) =>
      socket
        .resume()
        .on('error', () => undefined)
        .end(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`),
    )
    const port = await listen(server)
    const url = `http://127.0.0.1:${port}/ready?deep=1`
    // What is "on the way" is no answer, so only there it is waited for in vain.
    const result = await httpProbe(check(port), LOOPBACK, status < 200 ? AbortSignal.timeout(300) : never())
    expect(result).toEqual(passed ? PASSED : status < 200 ? expect.objectContaining({ passed: false }) : failed(`${url}: status ${status}`))
  })

  it('is a GET with the headers of the manifest, and says who asks unless they do', async () => {
    const seen: object[] = []
    const { port } = await serve(({ method, url, headers }, response) => {
      seen.push({ method, url, ...headers })
      response.end()
    })
    await httpProbe(check(port), LOOPBACK, never())
    const headers = [
      { name: 'Host', value: 'shop.example' },
      { name: 'User-Agent', value: 'mine' },
      { name: 'X-Twice', value: 'a' },
      { name: 'x-twice', value: 'b' },
    ]
    await httpProbe(check(port, { headers }), LOOPBACK, never())
    const plain = { method: 'GET', url: '/ready?deep=1', accept: '*/*', connection: 'close' }
    expect(seen).toEqual([
      { ...plain, host: `127.0.0.1:${port}`, 'user-agent': 'drover-probe' },
      { ...plain, host: 'shop.example', 'user-agent': 'mine', 'x-twice': 'a, b' },
    ])
  })

  it('follows no redirect, and leaves an endless body unread', async () => {
    let asked = 0
    const { port, server } = await serve((_, response) => {
      asked += 1
      response.writeHead(302, { location: '/elsewhere' })
      const more = setInterval(() => response.write('x'.repeat(65_536)), 1)
      response.on('close', () => clearInterval(more))
    })
    expect(await httpProbe(check(port), LOOPBACK, never())).toEqual(PASSED)
    await waitUntil(async () => (await connections(server)) === 0)
    expect(asked).toBe(1)
  })

  it('keeps no connection, also when its patience ends', async () => {
    const { port, server } = await serve((request, response) => {
      if (request.url === '/quick') response.end()
    })
    const patience = new AbortController()
    const slow = httpProbe(check(port), LOOPBACK, patience.signal)
    await waitUntil(async () => (await connections(server)) === 1)
    patience.abort()
    expect(await slow).toEqual(failed(`http://127.0.0.1:${port}/ready?deep=1: timed out`))
    expect(await httpProbe(check(port, { path: '/quick' }), LOOPBACK, never())).toEqual(PASSED)
    await waitUntil(async () => (await connections(server)) === 0)
  })

  it('does not ask when its patience has ended before', async () => {
    const { port } = await serve(() => expect.fail('asked'))
    expect(await httpProbe(check(port), LOOPBACK, AbortSignal.abort())).toMatchObject({ passed: false })
  })

  it('checks no certificate', async () => {
    const server = createHttpsServer({ key: KEY, cert: CERTIFICATE }, (_, response) => response.end())
    const port = await listen(server)
    expect(await httpProbe(check(port, { scheme: 'HTTPS' }), LOOPBACK, never())).toEqual(PASSED)
    expect(await httpProbe(check(port, { scheme: 'HTTPS' }), 'localhost', never())).toEqual(PASSED)
  })

  it('fails, and throws nothing, for what no request can carry or no server should say', async () => {
    const { port } = await serve((_, response) => response.end())
    for (const bad of [check(port, { path: '/a b\n' }), check(port, { headers: [{ name: 'x', value: 'a\r\nb' }] }), check(70_000)]) {
      expect(await httpProbe(bad, LOOPBACK, never())).toMatchObject({ passed: false })
    }
    const rude = await listen(
      createTcpServer((socket) =>
        socket
          .resume()
          .on('error', () => undefined)
          .end('SSH-2.0-x\r\n'),
      ),
    )
    expect(await httpProbe(check(rude), LOOPBACK, never())).toMatchObject({ passed: false })
    const closed = await freePort()
    expect(await httpProbe(check(closed), LOOPBACK, never())).toEqual(failed(`http://127.0.0.1:${closed}/ready?deep=1: connection refused`))
    expect(await httpProbe(check(closed), 'no-such-host.invalid', AbortSignal.timeout(5_000))).toMatchObject({ passed: false })
  })
})

describe('a TCP probe', () => {
  it('passes when the port takes a connection, and gives it up at once', async () => {
    const server = createTcpServer((socket) => void socket.on('error', () => undefined))
    const port = await listen(server)
    expect(await tcpProbe(LOOPBACK, port, never())).toEqual(PASSED)
    await waitUntil(async () => (await connections(server)) === 0)
  })

  it('says why it did not', async () => {
    const closed = await freePort()
    expect(await tcpProbe(LOOPBACK, closed, never())).toEqual(failed(`tcp 127.0.0.1:${closed}: connection refused`))
    expect(await tcpProbe(LOOPBACK, closed, AbortSignal.abort())).toEqual(failed(`tcp 127.0.0.1:${closed}: timed out`))
    expect(await tcpProbe(LOOPBACK, 70_000, never())).toMatchObject({ passed: false })
  })

  it('gives up on a host that does not answer when its patience ends', async () => {
    // Kept for documentation (RFC 5737): whatever a machine makes of it, the answer is no.
    expect(await tcpProbe('192.0.2.1', 9, AbortSignal.timeout(200))).toMatchObject({ passed: false })
  })
})

describe('the address', () => {
  it('is the one of the check before the own one', async () => {
    const { port } = await serve((_, response) => response.end())
    expect(await networkProbe({ type: 'tcp', host: LOOPBACK, port }, 'no-such-host.invalid', never())).toEqual(PASSED)
    expect(await networkProbe({ type: 'tcp', host: null, port }, LOOPBACK, never())).toEqual(PASSED)
  })

  it.each(['::1', '[::1]'])('may be IPv6, written as %s', async (host) => {
    const port = await freePort()
    // Refused where there is IPv6, something else where there is none; in brackets at any rate.
    expect(await tcpProbe(host, port, never())).toMatchObject({ message: expect.stringContaining(`tcp [::1]:${port}: `) })
    expect(await httpProbe(check(port), host, never())).toMatchObject({ message: expect.stringContaining(`http://[::1]:${port}/ready`) })
  })
})

/** Belongs to nobody and has run out: made for this test. */
const pem = (kind: string, text: string): string => `-----BEGIN ${kind}-----\n${text.trim()}\n-----END ${kind}-----\n`
const KEY = pem(
  'PRIVATE KEY',
  `
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeMbB3P+PnMpHQIGN
QAVrqQx5n7/vGiEX4FQPZMiqmk6hRANCAAQhQ0iY0mvtn1hRodQ5eh1jUkG9kEvv
LoH5GltuxKDmWbysVz+rev9hDHI+wGAXvXf2io8eWwtzbA1Bswl8orm+`,
)
const CERTIFICATE = pem(
  'CERTIFICATE',
  `
MIIBhTCCASugAwIBAgIUbcgKb4TEFbcI6ZJ1sc+31DZfTnEwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNc29tZWJvZHkuZWxzZTAeFw0yNjExMjExMjQxMThaFw0yNjEx
MjIxMjQxMThaMBgxFjAUBgNVBAMMDXNvbWVib2R5LmVsc2UwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQhQ0iY0mvtn1hRodQ5eh1jUkG9kEvvLoH5GltuxKDmWbys
Vz+rev9hDHI+wGAXvXf2io8eWwtzbA1Bswl8orm+o1MwUTAdBgNVHQ4EFgQUhFNL
S3FjoBGFKHVTQowzEtX0hJ8wHwYDVR0jBBgwFoAUhFNLS3FjoBGFKHVTQowzEtX0
hJ8wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEApfkI4dv/VW98
8tvAAYiMgK0rYZeV+IczHOOf3ZI9njQCIFcSzC1sskBpbCbdGHDb7FytqCeBJVNu
8KTQj/EYrYfr`,
)
