import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { generateHybridIdentity } from 'age-encryption'
import { afterAll, describe, expect, it } from 'vitest'
import { identitySources, keyFileText, loadIdentities, newIdentity, parseIdentities, recipientsOf } from '../../src/secrets/identities.ts'
import { ANN, BOB, failureOf, NOW, shownOf } from './support.ts'

const folder = await mkdtemp(join(tmpdir(), 'drover-identities-'))
afterAll(() => rm(folder, { recursive: true }))

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  return path
}

describe('a key file', () => {
  it('is read with comments, empty lines and any line ends', async () => {
    const text = `# created: x\r\n# public key: ${ANN.recipient}\r\n${ANN.identity}\r\n\n  \n\t${BOB.identity}`
    expect(await parseIdentities(text, 'f')).toEqual([ANN.identity, BOB.identity])
    expect(await parseIdentities('# nothing yet\n', 'f')).toEqual([])
  })

  it('is written as it is read', async () => {
    const text = keyFileText(ANN, NOW)
    expect(text).toBe(`# created: 2026-11-20T08:30:15Z\n# public key: ${ANN.recipient}\n${ANN.identity}\n`)
    expect(await parseIdentities(text, 'f')).toEqual([ANN.identity])
  })

  it('may hold post-quantum identities', async () => {
    const identity = await generateHybridIdentity()
    expect(await parseIdentities(identity, 'f')).toEqual([identity])
    expect(await recipientsOf([identity])).toEqual([expect.stringMatching(/^age1pq1/)])
  })

  const swapped = `${ANN.identity.slice(0, 30)}${ANN.identity[31]}${ANN.identity[30]}${ANN.identity.slice(32)}`
  it.each([
    ['a typing error', swapped === ANN.identity ? `${ANN.identity}Q` : swapped, 'typing error'],
    ['half of one', ANN.identity.slice(0, 40), 'whole'],
    ['a recipient', ANN.recipient, 'public half'],
    ['a plugin', 'AGE-PLUGIN-YUBIKEY-1QQ', 'plugins'],
    ['an ssh key', '-----BEGIN OPENSSH PRIVATE KEY-----', 'ssh'],
    ['something else', 'S3CRET', 'AGE-SECRET-KEY-1'],
  ])('with %s says in which line, without showing it', async (_, line, why) => {
    const error = await failureOf(parseIdentities(`# a\n${BOB.identity}\n\n${line}\n`, 'keys.txt'))
    expect(error).toMatchObject({ code: 'Malformed', message: expect.stringContaining('keys.txt, line 4:') })
    expect(error.message).toContain(why)
    expect(shownOf(error)).not.toContain(line)
    expect(shownOf(error)).not.toContain(BOB.identity.slice(20, 60))
  })
})

describe('identities', () => {
  it('are looked for as SOPS does, the flag first', () => {
    const env = { SOPS_AGE_KEY: 'text', SOPS_AGE_KEY_FILE: '/env', XDG_CONFIG_HOME: '/config', HOME: '/home/ann' }
    expect(identitySources(env, '/flag')).toEqual([
      { kind: 'file', path: '/flag' },
      { kind: 'text', name: 'SOPS_AGE_KEY', text: 'text' },
      { kind: 'file', path: '/env' },
      { kind: 'file if there', path: '/config/sops/age/keys.txt' },
    ])
    expect(identitySources({ ...env, SOPS_AGE_KEY: '', SOPS_AGE_KEY_FILE: '', XDG_CONFIG_HOME: '' }, null)).toEqual([
      { kind: 'file if there', path: '/home/ann/.config/sops/age/keys.txt' },
    ])
    expect(identitySources({}, null)).toEqual([])
  })

  it('are those of all places, each once', async () => {
    const carl = await newIdentity()
    const flag = await file('flag.txt', `${ANN.identity}\n`)
    await file('home/.config/sops/age/keys.txt', keyFileText(carl, NOW))
    const env = { SOPS_AGE_KEY: `${BOB.identity}\n${ANN.identity}`, SOPS_AGE_KEY_FILE: flag, HOME: join(folder, 'home') }
    expect(await loadIdentities({ env, file: flag })).toEqual([ANN.identity, BOB.identity, carl.identity])
  })

  it('may be none', async () => {
    expect(await loadIdentities({ env: { HOME: join(folder, 'nobody') }, file: null })).toEqual([])
    expect(await loadIdentities({ env: {}, file: null })).toEqual([])
  })

  it.each(['flag', 'variable'])('of a file named by a %s must be there', async (by) => {
    const path = join(folder, 'nothing.txt')
    const options = by === 'flag' ? { env: {}, file: path } : { env: { SOPS_AGE_KEY_FILE: path }, file: null }
    const error = await failureOf(loadIdentities(options))
    expect(error).toMatchObject({ code: 'NoIdentity', message: expect.stringContaining(path) })
  })

  it('of a file that cannot be read are an error with its code', async () => {
    expect((await failureOf(loadIdentities({ env: {}, file: folder }))).message).toContain('EISDIR')
    await mkdir(join(folder, 'odd/sops/age/keys.txt'), { recursive: true })
    expect((await failureOf(loadIdentities({ env: { XDG_CONFIG_HOME: join(folder, 'odd') }, file: null }))).message).toContain('EISDIR')
  })

  it('of a variable are called after it in errors', async () => {
    expect((await failureOf(loadIdentities({ env: { SOPS_AGE_KEY: 'x' }, file: null }))).message).toContain('SOPS_AGE_KEY, line 1')
  })
})
