import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GitCaps } from '../../src/git/caps.ts'
import { startGitHttp } from '../support/git-http.ts'
import { commitFiles, publish } from '../support/git-repo.ts'
import { code, signal, useRemote } from './remote-fixture.ts'

const remote = useRemote()

describe('access to a remote', () => {
  it('needs the right user and password', async () => {
    const server = await remote.serve('robot:secret')
    const address = `${server.url}/origin.git`
    await expect((await remote.open(address)).resolve('main', signal)).rejects.toEqual(code('AuthFailed', '401'))
    const credentials = { username: 'robot', password: 'wrong-password' }
    const failure = await (await remote.open(address, { credentials })).resolve('main', signal).catch((error: unknown) => String(error))
    expect(failure).toContain('401')
    expect(failure).not.toContain('wrong-password')
    const repo = await remote.open(address, { credentials: { username: 'robot', password: 'secret' } })
    expect((await repo.resolve('main', signal)).oid).toBe(remote.work.head())
  })

  it('takes credentials from the address, and keeps them out of the clone and of errors', async () => {
    const server = await remote.serve('robot:s3cr3t/x')
    const address = server.url.replace('//', '//robot:s3cr3t%2Fx@')
    const repo = await remote.open(`${address}/origin.git`)
    await repo.resolve('main', signal)
    const gitdir = join(remote.scratch.path, 'clones', 'clone-1')
    expect(readFileSync(join(gitdir, 'config'), 'utf8') + readFileSync(join(gitdir, 'drover-source'), 'utf8')).not.toContain('s3cr3t')
    const missing = await (await remote.open(`${address}/none.git`, { dir: join(remote.scratch.path, 'b') }))
      .resolve('main', signal)
      .catch(String)
    expect(missing).toContain('404')
    expect(missing).not.toContain('s3cr3t')
  })

  it('tells a push that is not allowed from a branch that moved', async () => {
    const server = await remote.serve()
    remote.origin.git('config', 'http.receivepack', 'false')
    const repo = await remote.open(`${server.url}/origin.git`)
    const good = (await repo.resolve('main', signal)).oid
    commitFiles(remote.work, { 'app.yaml': 'bad' })
    publish(remote.work, remote.origin)
    const revert = { branch: 'main', target: good, paths: ['.'], message: 'x', author: { name: 'D', email: 'd@x' } }
    await expect(repo.revert(revert, signal)).rejects.toEqual(code('AuthFailed', '403'))
  })

  it.each(['GET', 'POST'])('never pushes over a commit that arrives just before the %s of the push', async (method) => {
    const { work, origin, scratch } = remote
    const good = work.head()
    commitFiles(work, { 'app.yaml': 'bad' })
    publish(work, origin)
    const arrive = (request: string) => {
      if (!request.startsWith(method) || !request.endsWith('git-receive-pack') || origin.head('main') !== work.head()) return
      commitFiles(work, { 'other.yaml': 'by somebody else' })
      publish(work, origin)
    }
    const server = await startGitHttp({ root: scratch.path, onRequest: arrive })
    remote.toClose.push(server)
    const repo = await remote.open(`${server.url}/origin.git`)
    const revert = { branch: 'main', target: good, paths: ['.'], message: 'x', author: { name: 'D', email: 'd@x' } }
    await expect(repo.revert(revert, signal)).rejects.toEqual(code('Rejected'))
    expect(origin.git('log', '-1', '--format=%H %s', 'main')).toBe(`${work.head()} change`)
    expect(origin.git('show', 'main:other.yaml')).toBe('by somebody else')
  })

  it('reports what a hook of the remote says', async () => {
    writeFileSync(join(remote.origin.path, 'hooks/pre-receive'), '#!/bin/sh\necho no reverts on fridays >&2\nexit 1\n', { mode: 0o755 })
    for (const address of [`file://${remote.origin.path}`, `${(await remote.serve()).url}/origin.git`]) {
      const repo = await remote.open(address, { dir: join(remote.scratch.path, address.slice(0, 4)) })
      const good = remote.work.head('main~0')
      rmSync(join(remote.origin.path, 'hooks/pre-receive'), { force: true })
      commitFiles(remote.work, { 'app.yaml': `bad ${address}` })
      publish(remote.work, remote.origin)
      writeFileSync(join(remote.origin.path, 'hooks/pre-receive'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
      const revert = { branch: 'main', target: good, paths: ['.'], message: 'x', author: { name: 'D', email: 'd@x' } }
      await expect(repo.revert(revert, signal)).rejects.toEqual(code('Rejected', 'hook declined'))
      expect(remote.origin.head('main')).toBe(remote.work.head())
    }
  })
})

describe('a remote that is away', () => {
  async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    remote.toClose.push({ close: () => new Promise((resolve) => server.close(() => resolve())) })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  const caps: Partial<GitCaps> = { askDeadlineMs: 300 }

  it('G1: is unreachable', async () => {
    const server = await remote.serve()
    await server.close()
    await expect((await remote.open(`${server.url}/origin.git`)).resolve('main', signal)).rejects.toEqual(
      code('Unreachable', 'ECONNREFUSED'),
    )
    await expect((await remote.open('http://no-such-host.invalid/x.git')).resolve('main', signal)).rejects.toEqual(code('Unreachable'))
    await expect((await remote.open(`file://${remote.scratch.path}/none.git`)).resolve('main', signal)).rejects.toEqual(
      code('Unreachable', 'none.git'),
    )
    await expect(remote.open(join(remote.scratch.path, 'none'))).rejects.toEqual(code('Unreachable', 'not a git repository'))
    expect(readdirSync(remote.scratch.path)).not.toContain('clones')
  })

  it('G1: times out when it accepts and never answers', async () => {
    const sockets: { destroy(): void }[] = []
    const url = await listen(createTcpServer((socket) => sockets.push(socket)))
    await expect((await remote.open(`${url}/x.git`, { caps })).resolve('main', signal)).rejects.toEqual(code('Timeout', '300 ms'))
    for (const socket of sockets) socket.destroy()
  })

  it('G1: times out when it stops in the middle of an answer', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' })
      response.write('001e# service=git-upload-pack\n0000000eversion 2\n')
    })
    const url = await listen(server)
    await expect((await remote.open(`${url}/x.git`, { caps })).resolve('main', signal)).rejects.toEqual(code('Timeout'))
    server.closeAllConnections()
  })

  it('times out when it is silent while something is fetched', async () => {
    // Asking takes two requests for each thing that the name may be, a branch or a tag.
    const asking = 4
    const intercept = async () => (server.requests.length > asking ? 'Taken' : 'Serve') as 'Taken' | 'Serve'
    const server = await startGitHttp({ root: remote.scratch.path, intercept })
    remote.toClose.push(server)
    const repo = await remote.open(`${server.url}/origin.git`, { caps: { silenceMs: 300 } })
    await expect(repo.resolve('main', signal)).rejects.toEqual(code('Timeout', 'fell silent'))
    expect(server.requests.length).toBeGreaterThan(asking)
  })

  it('ends with the caller', async () => {
    const sockets: { destroy(): void }[] = []
    const caller = new AbortController()
    const url = await listen(
      createTcpServer((socket) => {
        sockets.push(socket)
        caller.abort(new Error('shutting down'))
      }),
    )
    await expect((await remote.open(`${url}/x.git`)).resolve('main', caller.signal)).rejects.toThrow('shutting down')
    for (const socket of sockets) socket.destroy()
  })

  it('G1: does not look like a vanished branch when its answer is cut off', async () => {
    const version1 = '001e# service=git-upload-pack\n0000003d1111111111111111111111111111111111111111 HEAD\0side-band-64k\n'
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' }).end(version1)
    })
    const url = await listen(server)
    await expect((await remote.open(`${url}/x.git`)).resolve('main', signal)).rejects.toEqual(code('Unreachable', 'cut off'))
  })

  it.each([
    ['a server error', 500, 'Unreachable'],
    ['too many requests', 429, 'Unreachable'],
    ['a refusal', 403, 'AuthFailed'],
    ['a page', 200, 'Unsupported'],
  ] as const)('answers with %s', async (_, status, expected) => {
    const url = await listen(
      createServer((_, response) => response.writeHead(status, { 'content-type': 'text/html' }).end('<html>no</html>')),
    )
    await expect((await remote.open(`${url}/x.git`)).resolve('main', signal)).rejects.toEqual(code(expected))
  })

  it('never takes credentials to another host', async () => {
    const asked: string[] = []
    const elsewhere = await listen(
      createServer((request, response) => {
        asked.push(String(request.headers.authorization))
        response.writeHead(404).end()
      }),
    )
    const redirect = (to: string) =>
      listen(
        createServer((request, response) =>
          response.writeHead(301, { location: `${to}${request.url?.replace('/old.git', '/origin.git')}` }).end(),
        ),
      )
    const credentials = { username: 'robot', password: 'secret' }
    const away = await remote.open(`${await redirect(elsewhere)}/old.git`, { credentials })
    await expect(away.resolve('main', signal)).rejects.toEqual(code('Unreachable', 'not followed'))
    expect(asked).toEqual([])
  })

  it('is followed to a new path of the same host', async () => {
    const backend = await remote.serve()
    const front = createServer((request, response) => {
      if (request.url?.startsWith('/old.git') === true) {
        response.writeHead(301, { location: request.url.replace('/old.git', '/origin.git') }).end()
        return
      }
      const chunks: Buffer[] = []
      request
        .on('data', (chunk: Buffer) => chunks.push(chunk))
        .on('end', () => {
          const headers = {
            'content-type': request.headers['content-type'] ?? '',
            'git-protocol': String(request.headers['git-protocol'] ?? ''),
          }
          const body = request.method === 'POST' ? { body: Buffer.concat(chunks) } : {}
          void fetch(`${backend.url}${request.url}`, { method: request.method ?? 'GET', headers, ...body }).then(async (answer) => {
            response
              .writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' })
              .end(Buffer.from(await answer.arrayBuffer()))
          })
        })
    })
    const repo = await remote.open(`${await listen(front)}/old.git`)
    expect((await repo.resolve('main', signal)).oid).toBe(remote.work.head())
  })
})
