import { writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Serving } from '../../src/api/serve.ts'
import { cliOver } from '../support/fake-cli.ts'
import { scratchFolder } from '../support/git-repo.ts'
import { GuardedWorld } from '../support/guarded-world.ts'

const scratch = scratchFolder()
const servings: Serving[] = []
let guarded: GuardedWorld
let other: GuardedWorld

beforeAll(async () => {
  guarded = await GuardedWorld.open()
  other = await GuardedWorld.open()
})
afterAll(async () => {
  await Promise.all(servings.map((serving) => serving.close()))
  await Promise.all([guarded.close(), other.close()])
  scratch.remove()
})

const cli = (env: Record<string, string>) => cliOver(undefined, { env: { USER: 'ann', HOME: scratch.path, ...env }, fetch })
const asAdmin = (url: string, token = guarded.adminToken) => cli({ DROVER_SERVER: url, DROVER_TOKEN: token })

async function standby(leader: string | null): Promise<string> {
  const serving = await guarded.standby(() => leader)
  servings.push(serving)
  return serving.url
}

/** A server that notes what it is sent. */
async function eavesdropper(): Promise<{ url: string; heard: IncomingHttpHeaders[]; close: () => void }> {
  const heard: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    heard.push(request.headers)
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard, close: () => server.close() }
}

describe('a standby', () => {
  it('leads the command line to the leader, with its token, reads and verbs alike', async () => {
    const ann = asAdmin(await standby(guarded.serving.url))
    expect(await ann.run('get', 'agents', '-o', 'json')).toMatchObject({ exit: 0, stdout: '{\n  "items": []\n}\n' })
    expect(await ann.run('token', 'create', '--agent')).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^drv1\.agent\./) })
  })

  it('that knows no leader is told of', async () => {
    const answer = await asAdmin(await standby(null)).run('status')
    expect(answer).toMatchObject({ exit: 1, stderr: expect.stringContaining('does not lead') })
  })

  it('cannot send the token to a server of another cluster', async () => {
    const answer = await asAdmin(await standby(other.serving.url)).run('status')
    expect(answer).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining(`the server at ${other.serving.url} is not one that is trusted here`),
    })
  })

  it('cannot send the token anywhere without TLS', async () => {
    const ear = await eavesdropper()
    const answer = await asAdmin(await standby(ear.url)).run('status')
    ear.close()
    expect(answer).toMatchObject({ exit: 1, stderr: expect.stringContaining('where a token would be read by others') })
    expect(ear.heard).toEqual([])
  })

  it('that leads in a circle is left', async () => {
    const told: { url: string | null } = { url: null }
    const serving = await guarded.standby(() => told.url)
    servings.push(serving)
    told.url = serving.url
    const answer = await asAdmin(serving.url).run('status')
    expect(answer).toMatchObject({ exit: 1, stderr: expect.stringContaining('the servers send requests to one another') })
  })
})

describe('a token', () => {
  it('is never sent without TLS', async () => {
    const ear = await eavesdropper()
    await asAdmin(ear.url).run('status')
    ear.close()
    expect(ear.heard).toHaveLength(1)
    expect(ear.heard[0]?.authorization).toBeUndefined()
  })

  it('of another cluster finds no server that it can trust', async () => {
    const answer = await asAdmin(guarded.serving.url, other.adminToken).run('status')
    expect(answer).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: expect.stringContaining('the server is not of the cluster that the token was made in'),
    })
  })

  it('of another kind is told from one for the API, before anybody is asked', async () => {
    const joining = await guarded.token({ kind: 'agent' })
    const answer = await asAdmin('https://127.0.0.1:1', joining).run('status')
    expect(answer).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('this is a token for joining agents, and one for the API is needed'),
    })
  })

  it('is taken from an option before a file of the environment, and a file that is not there is named', async () => {
    const file = join(scratch.path, 'admin')
    writeFileSync(file, `${guarded.adminToken}\n`)
    const env = { DROVER_SERVER: guarded.serving.url, DROVER_TOKEN_FILE: '/nowhere' }
    expect((await cli(env).run('--token-file', file, 'status')).exit).toBe(0)
    expect(await cli(env).run('status')).toMatchObject({ exit: 2, stderr: expect.stringContaining('/nowhere') })
  })
})

describe('a login', () => {
  const login = (home: string, ...args: string[]) => cli({ HOME: join(scratch.path, home) }).run('login', ...args)

  it('that is refused keeps nothing', async () => {
    const viewer = await guarded.token({ kind: 'api', role: 'viewer' })
    await guarded.plane.revokeToken(viewer.split('.')[2] ?? '', 'ann')
    expect(await login('bob', guarded.serving.url, '--token', viewer)).toMatchObject({ exit: 1 })
    const later = await cli({ HOME: join(scratch.path, 'bob'), DROVER_SERVER: guarded.serving.url }).run('status')
    expect(later.stderr).toContain('there is no token for')
  })

  it('needs an address with TLS, and a token', async () => {
    expect(await login('eve', 'http://127.0.0.1:7420', '--token', guarded.adminToken)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('asks for no token'),
    })
    expect(await login('eve', guarded.serving.url)).toMatchObject({ exit: 2, stderr: expect.stringContaining('which token?') })
  })

  it('whose file was spoilt is told of', async () => {
    const home = join(scratch.path, 'eve')
    await login('eve', guarded.serving.url, '--token', guarded.adminToken)
    writeFileSync(join(home, '.config/drover/config.json'), '{"servers": 3}')
    const answer = await cli({ HOME: home }).run('status')
    expect(answer).toMatchObject({ exit: 1, stderr: expect.stringContaining('mend it, or delete it') })
  })
})
