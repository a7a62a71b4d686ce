import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { commitFiles, publish } from '../support/git-repo.ts'
import { code, read, signal, useRemote } from './remote-fixture.ts'

const remote = useRemote()
const author = { name: 'Drover', email: 'd@example.com' }

/** Stands for ssh: notes its arguments and environment, then runs the remote command as a server's shell would. */
function fakeSsh(body: string): void {
  const bin = join(remote.scratch.path, 'bin')
  mkdirSync(bin, { recursive: true })
  const script = `#!/bin/sh\nprintf '%s\\n' "$@" >> ${remote.scratch.path}/arguments\nenv >> ${remote.scratch.path}/environment\n${body}\n`
  writeFileSync(join(bin, 'ssh'), script, { mode: 0o755 })
  vi.stubEnv('PATH', `${bin}:${process.env.PATH}`)
}
const RUN_REMOTELY = 'for command; do :; done\nexec sh -c "$command"'
const noted = (what: 'arguments' | 'environment') => readFileSync(join(remote.scratch.path, what), 'utf8').split('\n')

beforeEach(() => fakeSsh(RUN_REMOTELY))
afterEach(() => vi.unstubAllEnvs())

describe('a repository behind ssh', () => {
  it('is cloned, followed and pushed to', async () => {
    const repo = await remote.open(`ssh://git@host.example:2222${remote.origin.path}`)
    const first = await repo.resolve('main', signal)
    expect(await read(repo, first.oid)).toEqual(['app.yaml=v1', 'lib/a=a'])
    const bad = commitFiles(remote.work, { 'app.yaml': 'bad' })
    publish(remote.work, remote.origin)
    expect((await repo.resolve('main', signal)).oid).toBe(bad)
    const oid = await repo.revert({ branch: 'main', target: first.oid, paths: ['.'], message: 'Revert', author }, signal)
    expect(remote.origin.head('main')).toBe(oid)
  })

  it('asks for refs with one login, and fetches with one more', async () => {
    const repo = await remote.open(`git@host.example:${remote.origin.path}`)
    await repo.resolve('main', signal)
    const logins = () => noted('arguments').filter((argument) => argument === 'host.example').length
    expect(logins()).toBe(2)
    await repo.resolve('main', signal)
    expect(logins()).toBe(3)
  })

  it('is reached without prompts, with checked host keys, and with no setting of the environment', async () => {
    vi.stubEnv('GIT_SSH_COMMAND', 'sh -c "touch /tmp/never"')
    vi.stubEnv('DROVER_TOKEN', 'secret')
    const repo = await remote.open(`ssh://git@host.example:2222${remote.origin.path}`)
    await repo.resolve('main', signal)
    const argumentsSeen = noted('arguments')
    expect(argumentsSeen).toEqual(expect.arrayContaining(['BatchMode=yes', 'StrictHostKeyChecking=yes', '2222', 'git', '--']))
    expect(argumentsSeen.slice(argumentsSeen.indexOf('--')).slice(0, 3)).toEqual([
      '--',
      'host.example',
      `git-upload-pack '${remote.origin.path}'`,
    ])
    expect(noted('environment').filter((line) => /^(?:GIT_|DROVER_)/.test(line))).toEqual([])
  })

  it('may have a quote in its path, which stays within quotes', async () => {
    const path = join(remote.scratch.path, "it's; exit 1; 'x")
    renameSync(remote.origin.path, path)
    const repo = await remote.open(`ssh://host.example${encodeURI(path)}`)
    expect((await repo.resolve('main', signal)).oid).toBe(remote.work.head())
  })

  it.each([
    ['git@host: Permission denied (publickey).', 'AuthFailed'],
    ['Host key verification failed.', 'AuthFailed'],
    ['ssh: connect to host host.example port 22: Connection refused', 'Unreachable'],
    ["fatal: '/x' does not appear to be a git repository", 'Unreachable'],
  ] as const)('says what ssh says: %s', async (said, expected) => {
    fakeSsh(`echo "${said}" >&2; exit 255`)
    const repo = await remote.open('git@host.example:x.git')
    await expect(repo.resolve('main', signal)).rejects.toEqual(code(expected, said))
  })

  it('times out, and its program is ended', async () => {
    fakeSsh(`echo $$ > ${remote.scratch.path}/pid; exec sleep 60`)
    const repo = await remote.open('git@host.example:x.git', { caps: { askDeadlineMs: 400 } })
    await expect(repo.resolve('main', signal)).rejects.toEqual(code('Timeout', '400 ms'))
    const pid = Number(readFileSync(join(remote.scratch.path, 'pid'), 'utf8'))
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'))
  })

  it('needs the programs', async () => {
    vi.stubEnv('PATH', join(remote.scratch.path, 'empty'))
    await expect((await remote.open('git@host.example:x.git')).resolve('main', signal)).rejects.toEqual(code('Unsupported', 'ssh'))
    await expect((await remote.open(`file://${remote.origin.path}`)).resolve('main', signal)).rejects.toEqual(code('Unsupported', 'git'))
  })

  it('is not needed to read a path', async () => {
    vi.stubEnv('PATH', join(remote.scratch.path, 'empty'))
    const repo = await remote.open(remote.work.path)
    const { oid } = await repo.resolve('main', signal)
    expect(await read(repo, oid)).toEqual(['app.yaml=v1', 'lib/a=a'])
  })
})
