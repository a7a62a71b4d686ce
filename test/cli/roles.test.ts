import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { AgentOptions, ServerOptions } from '../../src/cli/deps.ts'
import { cliOver, IDLE } from '../support/fake-cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'drover-roles-'))
afterAll(() => rmSync(folder, { recursive: true }))
const tokenFile = join(folder, 'token')
writeFileSync(tokenFile, 'drv1.secret\n')

async function run(...words: string[]) {
  const seen: { server: ServerOptions[]; agent: AgentOptions[] } = { server: [], agent: [] }
  const roles = {
    ...IDLE,
    server: async (options: ServerOptions) => {
      seen.server.push(options)
      return 0
    },
    agent: async (options: AgentOptions) => {
      seen.agent.push(options)
      return 0
    },
  }
  const { exit, stderr } = await cliOver(undefined, { roles }).run(...words)
  return { exit, stderr, ...seen }
}

describe('server', () => {
  it('has defaults: a single server on loopback', async () => {
    const { exit, server } = await run('server', '--repo', '/srv/shop')
    expect(exit).toBe(0)
    expect(server).toEqual([
      {
        repo: '/srv/shop',
        ref: 'main',
        path: '.',
        app: null,
        dataDir: '/home/ann/.local/state/drover',
        host: '127.0.0.1',
        port: 7420,
        pollMs: 2000,
        store: 'embedded',
        ageKeyFile: null,
        advertise: null,
        acceptStore: null,
        etcd: { ca: null, cert: null, key: null, user: null, passwordFile: null },
        join: null,
      },
    ])
  })

  it('passes on how to reach etcd, how to join, and what is accepted', async () => {
    const etcd = '--store etcd://a,b/p --etcd-ca ca --etcd-cert cert --etcd-key key --etcd-user u --etcd-password-file pw'.split(' ')
    const more = '--advertise https://10.0.0.2:7420 --join https://10.0.0.1:7420 --accept-store empty --token-file'.split(' ')
    const { exit, server } = await run('server', '--repo', 'r', ...etcd, ...more, tokenFile)
    expect(exit).toBe(0)
    expect(server[0]).toMatchObject({
      store: 'etcd://a,b/p',
      etcd: { ca: 'ca', cert: 'cert', key: 'key', user: 'u', passwordFile: 'pw' },
      advertise: 'https://10.0.0.2:7420',
      join: { url: 'https://10.0.0.1:7420', token: 'drv1.secret' },
      acceptStore: 'empty',
    })
  })

  it.each([
    ['a store that forgets', ['--store', 'memory'], 'cannot keep its state in memory'],
    ['joining without etcd', ['--join', 'https://a:1', '--token', 'x'], 'keeps its state in etcd'],
    ['joining without a token', ['--join', 'https://a:1', '--store', 'etcd://a'], 'drover token create --control-plane'],
    ['an address without TLS', ['--advertise', 'http://a:1'], 'https://HOST:PORT'],
    ['an address with a path', ['--join', 'https://a:1/x'], 'https://HOST:PORT'],
  ])('refuses %s', async (_, words, message) => {
    const { exit, stderr, server } = await run('server', '--repo', 'r', ...words)
    expect({ exit, stderr, server }).toEqual({ exit: 2, stderr: expect.stringContaining(message), server: [] })
  })
})

describe('agent', () => {
  it('passes on its servers, its token and what its machine offers', async () => {
    const servers = '--server https://10.0.0.1:7420/ --server https://10.0.0.2:7420'.split(' ')
    const more = '--name box-1 --label zone=a --allow-processes --docker /run/d.sock --data-dir d --token-file'.split(' ')
    const { exit, agent } = await run('agent', ...servers, ...more, tokenFile)
    expect(exit).toBe(0)
    expect(agent[0]).toMatchObject({
      servers: ['https://10.0.0.1:7420', 'https://10.0.0.2:7420'],
      token: 'drv1.secret',
      dataDir: 'd',
      name: 'box-1',
      docker: '/run/d.sock',
      labels: { zone: 'a' },
    })
    expect(agent[0]?.processes).not.toBeNull()
  })

  it('needs no token once it has joined', async () => {
    const { agent } = await run('agent', '--server', 'https://a:1')
    expect(agent[0]).toMatchObject({ token: null, name: null, processes: null, docker: null })
  })

  it.each([
    ['no server', [], 'where the servers are'],
    ['plain HTTP to another machine', ['--server', 'http://10.0.0.1:7420'], 'plain http only for this machine'],
    ['servers with and without TLS', ['--server', 'http://127.0.0.1:1', '--server', 'https://127.0.0.1:2'], 'do not go together'],
    ['what is no address', ['--server', 'machine-1'], 'is not a server URL'],
    ['what is no name', ['--server', 'https://a:1', '--name', 'Box 1'], 'no name for an agent'],
  ])('refuses %s', async (_, words, message) => {
    const { exit, stderr, agent } = await run('agent', ...words)
    expect({ exit, stderr, agent }).toEqual({ exit: 2, stderr: expect.stringContaining(message), agent: [] })
  })
})
