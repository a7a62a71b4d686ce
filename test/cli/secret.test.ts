import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identityToRecipient } from 'age-encryption'
import { afterAll, describe, expect, it } from 'vitest'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { NOW } from '../support/fake-views.ts'

const PLAIN = `# the database
apiVersion: drover.dev/v1
kind: Secret
metadata:
  name: db
stringData:
  password: hunter2-is-secret # changed in May
`

const root = await mkdtemp(join(tmpdir(), 'drover-secret-'))
afterAll(() => rm(root, { recursive: true }))

/** A user with a home of their own, in a folder with one Secret. */
async function user(name: string, env: Readonly<Record<string, string>> = {}) {
  const home = join(root, name)
  await mkdir(home)
  const path = join(home, 'db.yaml')
  await writeFile(path, PLAIN)
  await chmod(path, 0o640)
  const cli = cliOver(fakeControl(), { cwd: home, env: { USER: name, HOME: home, ...env } })
  return { home, path, ...cli, read: () => readFile(path, 'utf8') }
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const DEFAULT_FILE = '.config/sops/age/keys.txt'

describe('keygen', () => {
  it('writes a key file for its owner alone, and prints the recipient', async () => {
    const { run, home } = await user('keygen')
    const { exit, stdout, stderr } = await run('secret', 'keygen', '--out', DEFAULT_FILE)
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: expect.stringMatching(/^age1[a-z0-9]{58}\n$/) })
    const path = join(home, DEFAULT_FILE)
    expect(await modeOf(path)).toBe(0o600)
    const [created, recipient, identity = '', ...rest] = (await readFile(path, 'utf8')).split('\n')
    const seconds = new Date(NOW).toISOString().replace(/\.\d+Z/, 'Z')
    expect([created, recipient, ...rest]).toEqual([`# created: ${seconds}`, `# public key: ${stdout.trim()}`, ''])
    expect(await identityToRecipient(identity)).toBe(stdout.trim())
    expect(stderr).toContain(DEFAULT_FILE)
    expect(stderr).not.toContain(identity)
  })

  it('prints the key itself where no file is named', async () => {
    const { run } = await user('keygen-out')
    const { exit, stdout, stderr } = await run('secret', 'keygen')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(stdout).toMatch(/^# created: .*\n# public key: age1\w+\nAGE-SECRET-KEY-1[A-Z0-9]{58}\n$/)
  })

  it('does not overwrite', async () => {
    const { run, read } = await user('keygen-twice')
    const { exit, stdout, stderr } = await run('secret', 'keygen', '--out', 'db.yaml')
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toContain('db.yaml is there already')
    expect(await read()).toBe(PLAIN)
  })
})

describe('encrypt', () => {
  it('prints, and leaves the file alone', async () => {
    const { run, read } = await user('encrypt')
    await run('secret', 'keygen', '--out', DEFAULT_FILE)
    const { exit, stdout, stderr } = await run('secret', 'encrypt', 'db.yaml')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    expect(stdout).toMatch(/^# the database\n[\s\S]*password: ENC\[\S+ # changed in May\nsops:\n/)
    expect(stdout).not.toContain('hunter2')
    expect(await read()).toBe(PLAIN)
  })

  it('in place keeps mode and links, and leaves nothing else behind', async () => {
    const { run, path, home, read } = await user('encrypt-in-place')
    await symlink('db.yaml', join(home, 'link.yaml'))
    const recipient = (await run('secret', 'keygen', '--out', 'key.txt')).stdout.trim()
    const { exit, stdout, stderr } = await run('secret', 'encrypt', 'link.yaml', '--recipient', recipient, '--in-place')
    expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: '', stderr: 'link.yaml is encrypted, and may go into git\n' })
    expect(await read()).not.toContain('hunter2')
    expect(await modeOf(path)).toBe(0o640)
    expect((await lstat(join(home, 'link.yaml'))).isSymbolicLink()).toBe(true)
    expect((await readdir(home)).toSorted()).toEqual(['db.yaml', 'key.txt', 'link.yaml'])
    expect((await run('secret', 'decrypt', 'db.yaml', '--age-key-file', 'key.txt', '--in-place')).exit).toBe(0)
    expect(await read()).toBe(PLAIN)
    expect(await modeOf(path)).toBe(0o640)
  })

  it('for several recipients opens for each, and not for others', async () => {
    const { run } = await user('encrypt-many')
    const keygen = async (out: string) => (await run('secret', 'keygen', '--out', out)).stdout.trim()
    const [a, b] = [await keygen('a.txt'), await keygen('b.txt'), await keygen('c.txt')]
    await run('secret', 'encrypt', 'db.yaml', '--recipient', a, '--recipient', b, '--in-place')
    for (const key of ['a.txt', 'b.txt']) expect((await run('secret', 'decrypt', 'db.yaml', '--age-key-file', key)).stdout).toBe(PLAIN)
    const { exit, stdout, stderr } = await run('secret', 'decrypt', 'db.yaml', '--age-key-file', 'c.txt')
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toContain(a)
  })

  it('is for somebody', async () => {
    const { run, read } = await user('encrypt-nobody')
    const { exit, stderr } = await run('secret', 'encrypt', 'db.yaml', '--in-place')
    expect({ exit, stderr }).toEqual({ exit: 2, stderr: expect.stringContaining('drover secret keygen') })
    expect(await read()).toBe(PLAIN)
  })

  it('refuses what is encrypted already, and a key in place of a recipient', async () => {
    const { run, home } = await user('encrypt-again')
    await run('secret', 'keygen', '--out', DEFAULT_FILE)
    const identity = (await readFile(join(home, DEFAULT_FILE), 'utf8')).trim().split('\n').at(-1) ?? ''
    const mixed = await run('secret', 'encrypt', 'db.yaml', '--recipient', identity)
    expect({ exit: mixed.exit, stderr: mixed.stderr }).toEqual({ exit: 2, stderr: expect.stringContaining('recipient 1 is an identity') })
    expect(mixed.stderr).not.toContain(identity.slice(20, 60))
    await run('secret', 'encrypt', 'db.yaml', '--in-place')
    const again = await run('secret', 'encrypt', 'db.yaml')
    expect({ exit: again.exit, stderr: again.stderr }).toEqual({
      exit: 2,
      stderr: expect.stringContaining('db.yaml: the file is encrypted already'),
    })
  })
})

describe('decrypt', () => {
  it('finds keys in the environment, as SOPS does', async () => {
    const { run, home } = await user('decrypt')
    const recipient = (await run('secret', 'keygen', '--out', 'key.txt')).stdout.trim()
    await run('secret', 'encrypt', 'db.yaml', '--recipient', recipient, '--in-place')
    const file = join(home, 'key.txt')
    for (const env of [{ SOPS_AGE_KEY_FILE: file }, { SOPS_AGE_KEY: await readFile(file, 'utf8') }]) {
      const other = cliOver(fakeControl(), { cwd: home, env })
      expect((await other.run('secret', 'decrypt', 'db.yaml')).stdout).toBe(PLAIN)
    }
  })

  it('says what is missing, and where it looked', async () => {
    const { run } = await user('decrypt-nothing')
    const recipient = (await run('secret', 'keygen', '--out', 'key.txt')).stdout.trim()
    await run('secret', 'encrypt', 'db.yaml', '--recipient', recipient, '--in-place')
    const none = await run('secret', 'decrypt', 'db.yaml')
    expect({ exit: none.exit, stderr: none.stderr }).toEqual({ exit: 2, stderr: expect.stringContaining('there is no age identity') })
    expect(none.stderr).toContain('SOPS_AGE_KEY_FILE')
    const missing = await run('secret', 'decrypt', 'db.yaml', '--age-key-file', 'nothing.txt')
    expect({ exit: missing.exit, stderr: missing.stderr }).toEqual({ exit: 2, stderr: expect.stringContaining('nothing.txt is not there') })
    expect((await run('secret', 'decrypt', 'nothing.yaml', '--age-key-file', 'key.txt')).stderr).toContain('nothing.yaml cannot be read')
  })

  it('writes nothing when a value was changed', async () => {
    const { run, path, read } = await user('decrypt-changed')
    await run('secret', 'keygen', '--out', DEFAULT_FILE)
    await run('secret', 'encrypt', 'db.yaml', '--in-place')
    const changed = (await read()).replace('name: db', 'name: dc')
    await writeFile(path, changed)
    const { exit, stdout, stderr } = await run('secret', 'decrypt', 'db.yaml', '--in-place')
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' })
    expect(stderr).toMatch(/^error: db\.yaml: its values are not those that were sealed/)
    expect(stderr).not.toContain('hunter2')
    expect(await read()).toBe(changed)
  })
})
