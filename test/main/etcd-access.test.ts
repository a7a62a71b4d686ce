import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { etcdAccessOf } from '../../src/main/etcd-access.ts'

const folder = mkdtempSync(join(tmpdir(), 'drover-etcd-access-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string): string => {
  writeFileSync(join(folder, name), `text of ${name}\n`)
  return join(folder, name)
}
const NONE = { ca: null, cert: null, key: null, user: null, passwordFile: null }

it('is open when nothing is asked', async () => {
  expect(await etcdAccessOf(NONE)).toEqual({ tls: null, user: null })
})

it('reads what is named', async () => {
  const given = { ca: file('ca'), cert: file('cert'), key: file('key'), user: 'drover', passwordFile: file('password') }
  const { tls, user } = await etcdAccessOf(given)
  expect([tls?.ca, tls?.cert, tls?.key].map(String)).toEqual(['text of ca\n', 'text of cert\n', 'text of key\n'])
  expect(user).toEqual({ name: 'drover', password: 'text of password' })
})

it.each([
  [{ ca: 'x', cert: 'y' }, '--etcd-key'],
  [{ cert: 'x', key: 'y' }, '--etcd-cert'],
  [{ user: 'x' }, '--etcd-password-file'],
  [{ ca: '/nowhere/ca.pem' }, '/nowhere/ca.pem'],
])('refuses %j', async (given, message) => {
  await expect(etcdAccessOf({ ...NONE, ...given })).rejects.toMatchObject({ exitCode: 2, message: expect.stringContaining(message) })
})
