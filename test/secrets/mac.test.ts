import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { macOf } from '../../src/secrets/mac.ts'

const VALUES = [
  { counted: 'drover.dev/v1', encrypted: false },
  { counted: 'True', encrypted: true },
  { counted: 'línea\n', encrypted: true },
]

const sha512 = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha512')
  for (const part of parts) hash.update(part)
  return hash.digest('hex').toUpperCase()
}

it('the seal is the sum of all values in order', () => expect(macOf(VALUES, 'all')).toBe(sha512('drover.dev/v1Truelínea\n')))

it('the seal of encrypted values begins with the sum of the word sops', () => {
  const start = createHash('sha256').update('sops').digest()
  expect(macOf(VALUES, 'encrypted')).toBe(sha512(start, 'Truelínea\n'))
  expect(macOf([], 'encrypted')).not.toBe(macOf([], 'all'))
})
