import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lockDataDir } from '../../src/main/data-dir.ts'
import { cliOver } from '../support/fake-cli.ts'
import { freePort } from '../support/free-port.ts'
import { makeRepo, scratchFolder } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'

const root = join(import.meta.dirname, '../..')
const scratch = scratchFolder()
const dataDir = join(scratch.path, 'data')
const adminFile = join(dataDir, 'admin.token')
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

let child: ChildProcess
let url: string
let said = ''

/** The command line of a user with this home, over the network. */
const cli = (home: string, env: Record<string, string> = {}) =>
  cliOver(undefined, { env: { USER: 'ann', HOME: join(scratch.path, home), ...env }, fetch })

beforeAll(async () => {
  const port = await freePort()
  url = `https://127.0.0.1:${port}`
  const { path } = makeRepo(join(scratch.path, 'repo'))
  const args = ['up', '--repo', path, '--data-dir', dataDir, '--listen', `0.0.0.0:${port}`]
  child = spawn(process.execPath, ['--import', 'tsx', join(root, 'src/main.ts'), ...args], {
    cwd: root,
    env: { ...process.env, DROVER_LOG: 'silent', DOCKER_HOST: `unix://${scratch.path}/no-docker.sock` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await waitUntil(() => said.includes('a token for an admin is in'), { timeoutMs: 30_000 })
}, 60_000)
afterAll(async () => {
  child.kill('SIGTERM')
  await once(child, 'close')
  scratch.remove()
}, 30_000)

describe('drover up on an address that others reach', () => {
  it('says where the admin token is, and its own address', () => {
    expect(said).toContain(`a token for an admin is in ${adminFile}: drover login URL --token-file ${adminFile}`)
    expect(said).toMatch(/at https:\/\/0\.0\.0\.0:\d+, following/)
  })

  it('keeps what is secret for its owner', () => {
    expect(modeOf(dataDir)).toBe('700')
    expect(['admin.token', 'secrets.key', 'pid'].map((file) => modeOf(join(dataDir, file)))).toEqual(['600', '600', '600'])
  })

  it('answers nobody over plain HTTP', async () => {
    await expect(fetch(`${url.replace('https', 'http')}/livez`)).rejects.toThrow()
    const plain = await cli('plain').run('--server', url.replace('https', 'http'), 'status')
    expect(plain).toMatchObject({ exit: 1, stdout: '' })
  })

  it('tells who has no token how to log in', async () =>
    expect(await cli('nobody').run('--server', url, 'status')).toEqual({
      exit: 1,
      stdout: '',
      stderr: `error: there is no token for ${url}\nhint: drover login ${url} --token-file FILE\n`,
    }))

  it('is logged into once, and known from then on', async () => {
    const ann = cli('ann')
    const login = await ann.run('login', url, '--token-file', adminFile)
    expect(login).toMatchObject({ exit: 0, stdout: '' })
    expect(login.stderr).toMatch(
      /^logged in at https:\/\/127\.0\.0\.1:\d+, cluster \w+; the token is in .*\/ann\/\.config\/drover\/config\.json\n$/,
    )
    expect(modeOf(join(scratch.path, 'ann/.config/drover/config.json'))).toBe('600')
    expect(modeOf(join(scratch.path, 'ann/.config/drover'))).toBe('700')
    expect(await ann.run('get', 'tasks', '-o', 'json')).toMatchObject({ exit: 0, stdout: '{\n  "items": []\n}\n' })
  })

  it('makes tokens whose text is all of stdout, and takes them back at once', async () => {
    const ann = cli('ann')
    const made = await ann.run('token', 'create', '--role', 'viewer', '--name', 'ci')
    expect(made.stderr).toMatch(/^token \w{10} for a viewer; good for \d+d\. It is shown this once\n$/)
    const ci = cli('ci', { DROVER_SERVER: url, DROVER_TOKEN: made.stdout.trim() })
    expect((await ci.run('status')).exit).toBe(0)
    const refused = await ci.run('cordon', 'agent/x')
    expect(refused).toMatchObject({ exit: 1 })
    expect(refused.stderr).toContain('the token "ci" has the role viewer, and this needs operator: ask an admin')
    const id = made.stdout.split('.')[2] ?? ''
    expect((await ann.run('token', 'list')).stdout).toMatch(new RegExp(`${id} +ci +viewer +- +Usable`))
    expect(await ann.run('token', 'revoke', id)).toMatchObject({ exit: 0, stderr: `token ${id} for a viewer is revoked\n` })
    const late = await ci.run('status')
    expect(late.exit).toBe(1)
    expect(late.stderr).toMatch(/^error: the token is not accepted: .*\nhint: drover login URL --token-file FILE keeps a new one/)
  })

  it.each<[string, readonly string[], RegExp]>([
    ['no purpose', ['token', 'create'], /say what it is for: one of --agent, --control-plane, --role ROLE/],
    ['two purposes', ['token', 'create', '--agent', '--role', 'viewer'], /say what it is for/],
    ['a purpose that is none', ['token', 'create', '--role', 'king'], /Allowed choices are viewer, deployer, operator, admin/],
  ])('makes no token for %s', async (_, args, message) => {
    const answer = await cli('ann').run(...args)
    expect([answer.exit, answer.stdout]).toEqual([2, ''])
    expect(answer.stderr).toMatch(message)
  })

  it('shows and rotates its authority', async () => {
    const ann = cli('ann')
    expect((await ann.run('ca', 'status')).stdout).toMatch(/^ROOT +STATE .*\n\w{12} +Active /)
    expect(await ann.run('ca', 'rotate', '--finish')).toMatchObject({ exit: 5, stderr: expect.stringContaining('no root retires') })
    const rotated = await ann.run('ca', 'rotate')
    expect(rotated.stdout).toMatch(/Active.*\n.*Retiring/)
    expect(await ann.run('ca', 'rotate', '--finish')).toMatchObject({ exit: 5, stderr: expect.stringContaining('wait until then') })
    // The login is an hour old by now: the new root is learned on the way, and outlives the old.
    const later = { ...ann.deps.clock, now: () => Date.now() + 3_700_000 }
    const other = cliOver(undefined, { ...ann.deps, clock: later })
    expect((await other.run('status')).exit).toBe(0)
    expect(await other.run('ca', 'rotate', '--finish', '--force')).toMatchObject({ exit: 0 })
    await waitUntil(async () => (await other.run('ca', 'status')).exit === 0)
    // A token that was made under the old root leads to nobody now, and says so.
    const stale = await cli('stale', { DROVER_SERVER: url, DROVER_TOKEN: readFileSync(adminFile, 'utf8') }).run('status')
    expect(stale.stderr).toMatch(/has dropped the root it had then: make another token there/)
  })

  it('is not what another cluster’s token leads to', async () => {
    const foreign = 'drv1.api.abcdefgh23.s.p'
    const answer = await cli('bob').run('login', url, '--token', foreign)
    expect(answer).toMatchObject({ exit: 2, stderr: expect.stringContaining('5 parts where 6 are due') })
  })
})

describe('a data directory', () => {
  it('that everybody may write to is refused', async () => {
    const dir = join(scratch.path, 'shared')
    mkdirSync(dir)
    chmodSync(dir, 0o777)
    await expect(lockDataDir(dir)).rejects.toThrow(`everybody may write to ${dir}, and keys are kept there: chmod 700 ${dir}`)
  })
})
