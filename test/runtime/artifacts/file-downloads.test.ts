import { lookup } from 'node:dns'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFileDownloadCache } from '../../../runtime/artifacts/file-downloads.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { Download } from '../../../src/model/task-spec.ts'
import { type FileServer, sha256, startFileServer } from '../../support/file-server.ts'
import { file, folder, symbolicLink, tarOf } from '../../support/tar.ts'
import { waitUntil } from '../../support/wait-until.ts'

const LIMITS = { maxBytes: 1_000_000, deadlineMs: 60_000, silenceMs: 30_000 }
const never = new AbortController().signal

let directory: string
let server: FileServer

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'drover-downloads-'))
  server = await startFileServer()
})
afterEach(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

const cacheWith = (options: { limits?: Partial<typeof LIMITS>; lookup?: LookupFunction } = {}) =>
  createFileDownloadCache(directory, { limits: { ...LIMITS, ...options.limits }, lookup: options.lookup ?? lookup, log: silentLog })

/** What is served at that path under its right checksum. */
function served(path: string, content: Buffer | string, form: Download['form'] = 'file'): Download {
  server.serve(path, content)
  return { url: `${server.url}${path}`, sha256: sha256(content), form }
}

const at = (path: string, content = 'never seen'): Download => ({ url: `${server.url}${path}`, sha256: sha256(content), form: 'file' })
const kept = (): string[] => readdirSync(directory).filter((name) => name !== 'tmp')
const nothingLeft = () => expect([kept(), readdirSync(join(directory, 'tmp'))]).toEqual([[], []])
const terminal = (code: string, message = '') =>
  expect.objectContaining({ name: 'TerminalError', code, message: expect.stringContaining(message) })
const retryable = (message: string) => expect.objectContaining({ name: 'RetryableError', message: expect.stringContaining(message) })

describe('a file from elsewhere', () => {
  it.each([
    ['file', 0o644],
    ['executable', 0o755],
  ] as const)('is there as one %s', async (form, mode) => {
    const path = await cacheWith().ensure(served('/tool', '#!/bin/sh\n', form), never)
    expect(readFileSync(path, 'utf8')).toBe('#!/bin/sh\n')
    expect(statSync(path).mode & 0o777).toBe(mode)
  })

  it('is unpacked where it is to be, plain or in gzip, whatever its name is', async () => {
    const archive = tarOf([folder('bin/'), file('bin/run', 'x', 0o755), symbolicLink('run', 'bin/run'), symbolicLink('lib', 'gone')])
    for (const content of [archive, gzipSync(archive)]) {
      const path = await cacheWith().ensure(served('/download?id=7', content, 'unpacked'), never)
      expect(readdirSync(path).sort()).toEqual(['bin', 'lib', 'run'])
      expect(statSync(join(path, 'run')).mode & 0o777).toBe(0o755)
    }
  })

  it('is fetched once for all who want it at the same time, for later ones, and for the next agent', async () => {
    const download = served('/tool', 'content')
    const cache = cacheWith()
    const paths = await Promise.all(Array.from({ length: 5 }, () => cache.ensure(download, never)))
    expect(new Set(paths).size).toBe(1)
    await cache.ensure(download, never)
    await cacheWith().ensure(download, never)
    await cacheWith().ensure({ ...download, url: 'http://mirror.invalid/tool' }, never)
    expect(server.asked).toEqual(['/tool'])
  })

  it('is fetched by each who wants it from elsewhere: a bad mirror harms only who names it', async () => {
    const good = served('/tool', 'content')
    const slow: { go: () => void } = { go: () => undefined }
    server.serve('/mirror', (response) => {
      slow.go = () => response.writeHead(404).end()
    })
    const cache = cacheWith()
    const bad = cache.ensure({ ...good, url: `${server.url}/mirror` }, never).catch((error: unknown) => error)
    await waitUntil(() => server.asked.includes('/mirror'))
    expect(readFileSync(await cache.ensure(good, never), 'utf8')).toBe('content')
    slow.go()
    expect(await bad).toEqual(terminal('ArtifactNotFound'))
  })

  it('may come from two mirrors at once', async () => {
    const archive = tarOf([file('a', 'x')])
    const downloads = [served('/one', archive, 'unpacked'), served('/two', archive, 'unpacked')]
    const cache = cacheWith()
    const paths = await Promise.all(downloads.map((download) => cache.ensure(download, never)))
    expect(new Set(paths).size).toBe(1)
    expect(server.asked.sort()).toEqual(['/one', '/two'])
    expect(readdirSync(join(directory, 'tmp'))).toEqual([])
  })

  it('stays as long as it is in use, and of the others the ten used last', async () => {
    const cache = cacheWith()
    const downloads = Array.from({ length: 13 }, (_, index) => served(`/${index}`, `content ${index}`))
    for (const download of downloads) await cache.ensure(download, never)
    const key = (index: number) => `${sha256(`content ${index}`)}.file`
    await cache.retain(new Set([key(0)]))
    expect(kept().sort()).toEqual([0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(key).sort())
  })
})

describe('a fetch that fails', () => {
  it('with another content says both checksums, and leaves nothing of it', async () => {
    server.serve('/tool', 'changed')
    const error = await cacheWith()
      .ensure(at('/tool', 'agreed'), never)
      .catch((thrown: unknown) => thrown)
    expect(error).toEqual(terminal('ArtifactMismatch', sha256('changed')))
    expect(error).toEqual(terminal('ArtifactMismatch', sha256('agreed')))
    nothingLeft()
  })

  it.each([
    ['shorter than announced', true],
    ['in the middle of chunks', false],
  ])('with an end %s is tried again', async (_, isAnnounced) => {
    server.serve('/tool', (response) => {
      if (isAnnounced) response.setHeader('content-length', 1000)
      response.write('half', () => response.destroy())
    })
    const cache = cacheWith()
    await expect(cache.ensure(at('/tool'), never)).rejects.toEqual(retryable('was not fetched'))
    nothingLeft()
    server.serve('/tool', 'never seen')
    await cache.ensure(at('/tool'), never)
  })

  it.each([
    [404, terminal('ArtifactNotFound', 'answered 404')],
    [410, terminal('ArtifactNotFound')],
    [401, terminal('ArtifactForbidden', 'without credentials')],
    [403, terminal('ArtifactForbidden')],
    [400, terminal('ArtifactRefused', 'answered 400')],
    [206, terminal('ArtifactRefused', 'answered 206')],
    [429, retryable('answered 429')],
    [500, retryable('answered 500')],
    [503, retryable('answered 503')],
  ])('with status %i', async (status, expected) => {
    server.serve('/tool?signature=hidden', (response) => response.writeHead(status).end('never seen'))
    const error = await cacheWith()
      .ensure(at('/tool?signature=hidden'), never)
      .catch((thrown: unknown) => thrown)
    expect(error).toEqual(expected)
    expect(String(error)).not.toContain('hidden')
    nothingLeft()
  })

  it('with nobody there is tried again', async () => {
    await server.close()
    await expect(cacheWith().ensure(at('/tool'), never)).rejects.toEqual(retryable('ECONNREFUSED'))
  })

  it('is cut when the server falls silent, before an answer or within it', async () => {
    server.serve('/mute', () => undefined)
    server.serve('/half', (response) => response.write('half'))
    const cache = cacheWith({ limits: { silenceMs: 50 } })
    await expect(cache.ensure(at('/mute'), never)).rejects.toEqual(retryable('was not fetched'))
    await expect(cache.ensure(at('/half'), never)).rejects.toEqual(retryable('was not fetched'))
    nothingLeft()
  })

  it('is cut at its deadline, however diligently the server drips', async () => {
    const timers = new Set<NodeJS.Timeout>()
    server.serve('/drip', (response) => {
      timers.add(setInterval(() => response.write('.'), 5))
    })
    await expect(cacheWith({ limits: { deadlineMs: 100 } }).ensure(at('/drip'), never)).rejects.toEqual(retryable('longer than 0.1 s'))
    for (const timer of timers) clearInterval(timer)
    nothingLeft()
  })

  it('is cut when nobody wants it any more', async () => {
    const gone: { closed: boolean } = { closed: false }
    server.serve('/mute', (response) => response.on('close', () => (gone.closed = true)))
    const stop = new AbortController()
    const asked = cacheWith()
      .ensure(at('/mute'), stop.signal)
      .catch((error: unknown) => error)
    await waitUntil(() => server.asked.length === 1)
    stop.abort('enough')
    expect(await asked).toBe('enough')
    await waitUntil(() => gone.closed)
  })

  it('is too large, as announced or as it turns out', async () => {
    const cache = cacheWith({ limits: { maxBytes: 1000 } })
    await expect(cache.ensure(served('/announced', 'x'.repeat(1001)), never)).rejects.toEqual(terminal('ArtifactTooLarge'))
    server.serve('/endless', (response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(500)));
        response.once('drain', more)
      }
      more()
    })
    await expect(cache.ensure(at('/endless'), never)).rejects.toEqual(terminal('ArtifactTooLarge', '1000 bytes'))
    nothingLeft()
  })

  it.each([
    ['a path that leads out', [file('../evil', 'x')], 'ArchiveRefused'],
    ['a link that leads out', [symbolicLink('evil', '/etc')], 'ArchiveRefused'],
  ])('holds %s: nothing of it stays', async (_, entries, code) => {
    const download = served('/evil.tar', tarOf(entries), 'unpacked')
    await expect(cacheWith().ensure(download, never)).rejects.toEqual(terminal(code, `${server.url}/evil.tar: `))
    nothingLeft()
    expect(readdirSync(join(directory, '..'))).not.toContain('evil')
  })
})

describe('redirects', () => {
  const redirect = (path: string, location: string, status = 302) =>
    server.serve(path, (response) => response.writeHead(status, { location }).end('moved'))

  it.each([301, 302, 303, 307, 308])('with %i are followed, to another server too', async (status) => {
    const other = await startFileServer()
    try {
      other.serve('/tool', 'content')
      redirect('/first', '/second', status)
      redirect('/second', `${other.url}/tool`, status)
      const path = await cacheWith().ensure({ ...at('/first', 'content') }, never)
      expect(readFileSync(path, 'utf8')).toBe('content')
    } finally {
      await other.close()
    }
  })

  it.each([
    ['file:///etc/passwd', 'redirects to file:'],
    ['ftp://127.0.0.1/x', 'redirects to ftp:'],
    ['http://', 'no address'],
    ['http://169.254.169.254/latest/meta-data/', '169.254.169.254 is link-local'],
    ['http://[::ffff:169.254.169.254]/', 'link-local'],
    ['http://0xa9fea9fe/', '169.254.169.254 is link-local'],
    ['/round', 'more than 5 times'],
  ])('are not followed to %s', async (location, message) => {
    redirect('/round', location)
    await expect(cacheWith().ensure(at('/round'), never)).rejects.toEqual(terminal('ArtifactRefused', message))
  })
})

describe('a name', () => {
  /** As a resolver answers for whoever owns the name. */
  const leadingTo =
    (...addresses: string[]): LookupFunction =>
    (_, __, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  const named = (path: string): Download => ({ ...at(path, 'content'), url: `http://files.example:${server.port}${path}` })

  it.each([
    ['the metadata service', '169.254.169.254', 'link-local'],
    ['this machine', '127.0.0.1', 'this machine itself'],
    ['this machine over IPv6', '::1', 'this machine itself'],
  ])('that leads to %s is not fetched from', async (_, address, message) => {
    served('/tool', 'content')
    const error = cacheWith({ lookup: leadingTo('192.0.2.1', address) }).ensure(named('/tool'), never)
    await expect(error).rejects.toEqual(terminal('ArtifactRefused', message))
    expect(server.asked).toEqual([])
  })

  it('that leads nowhere is tried again', async () => {
    const failing: LookupFunction = (_, __, done) => done(Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' }), '')
    await expect(cacheWith({ lookup: failing }).ensure(named('/tool'), never)).rejects.toEqual(retryable('EAI_AGAIN'))
  })

  it('localhost is the machine, which the manifest then names', async () => {
    const download = served('/tool', 'content')
    const url = `http://localhost:${server.port}/tool`
    expect(readFileSync(await cacheWith({ lookup: leadingTo('127.0.0.1') }).ensure({ ...download, url }, never), 'utf8')).toBe('content')
  })
})
