import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeyring, KEY_BYTES } from '../../src/lib/seal.ts'
import type { AgentId } from '../../src/model/ids.ts'

const keyring = createKeyring(Buffer.alloc(KEY_BYTES, 1))
const other = createKeyring(Buffer.alloc(KEY_BYTES, 2))
const anyText = fc.string({ unit: 'binary', maxLength: 200 })

describe('sealed values', () => {
  it('open to what was sealed, whatever it is', () => {
    fc.assert(fc.property(anyText, anyText, (of, plain) => void expect(keyring.open(keyring.seal(of, plain))).toBe(plain)))
  })

  it('are equal for an equal value of one place, and for nothing else', () => {
    fc.assert(
      fc.property(anyText, anyText, anyText, (of, plain, also) => {
        expect(keyring.seal(of, plain)).toEqual(keyring.seal(of, plain))
        if (also === plain) return
        expect(keyring.seal(of, also).sealed).not.toBe(keyring.seal(of, plain).sealed)
        expect(keyring.seal(`${of}x`, plain).sealed).not.toBe(keyring.seal(of, plain).sealed)
      }),
    )
  })

  it('do not open elsewhere, with another key, or when a byte of them changed', () => {
    const value = keyring.seal('default/db/password', 'hunter2')
    expect(() => keyring.open({ ...value, of: 'other/db/password' })).toThrow('default/db/password'.replace('default', 'other'))
    expect(() => other.open(value)).toThrow(/sealed with the key [0-9a-f]{8}, and the one here is [0-9a-f]{8}/)
    const [version, id, body = ''] = value.sealed.split('.')
    const bytes = Buffer.from(body, 'base64')
    for (const at of bytes.keys()) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(() => keyring.open({ ...value, sealed: `${version}.${id}.${changed.toString('base64')}` })).toThrow('was changed')
    }
  })

  it('and their errors hold nothing of the value', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6 }), (plain) => {
        const value = keyring.seal('a/b/c', plain)
        expect(value.sealed).not.toContain(plain)
        for (const open of [() => other.open(value), () => keyring.open({ of: 'x', sealed: value.sealed })]) {
          expect(open).toThrow(expect.objectContaining({ code: 'SecretUnreadable', message: expect.not.stringContaining(plain) }))
        }
      }),
    )
  })
})

describe('the key of an agent', () => {
  const [one, two] = ['machine-1', 'machine-2'] as [AgentId, AgentId]

  it('is the same each time, and of no other agent or cluster', () => {
    expect(keyring.agentKey(one)).toEqual(keyring.agentKey(one))
    const keys = [keyring.agentKey(one), keyring.agentKey(two), other.agentKey(one)]
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(3)
  })

  it('opens what is sealed with it, and nothing else', () => {
    const [ofOne, ofTwo] = [one, two].map((agent) => createKeyring(keyring.agentKey(agent)))
    const value = ofOne?.seal('a/b/c', 'hunter2') ?? keyring.seal('', '')
    expect(ofOne?.open(value)).toBe('hunter2')
    expect(() => ofTwo?.open(value)).toThrow('sealed with the key')
    expect(() => ofOne?.open(keyring.seal('a/b/c', 'hunter2'))).toThrow('sealed with the key')
  })
})
