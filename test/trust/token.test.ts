import { describe, expect, it } from 'vitest'
import type { TokenRecord } from '../../src/model/trust.ts'
import { isSecretOf, newToken, parseToken, parseTokenOf, secretHash, tokenState, tokenText } from '../../src/trust/token.ts'

const PIN = 'p'.repeat(43)
const token = newToken({ kind: 'agent', id: 'abcdefgh23', pin: PIN })
const text = tokenText(token)

describe('a token', () => {
  it('is read back as it was made', () => expect(parseToken(text)).toEqual(token))

  it('may stand in a file, with a line break after it', () => expect(parseToken(`${text}\n`)).toEqual(token))

  it('is known by its looks', () => expect(text).toMatch(/^drv1\.agent\.abcdefgh23\.[\w-]{43}\.p{43}\.[\w-]{6}$/))

  it('has a secret of its own', () => expect(newToken(token).secret).not.toBe(token.secret))

  it.each<[string, string, RegExp]>([
    ['is empty', ' \n', /is empty/],
    ['is something else', 'ghp_abcdef', /no token of drover: one begins with drv1/],
    ['is of a later form', text.replace('drv1', 'drv2'), /another version/],
    ['was cut short', text.slice(0, 60), /4 parts where 6 are due/],
    ['lost its last letters', text.slice(0, -2), /mistyped or cut short/],
    ['was joined with another', `${text}.x`, /7 parts/],
    ['was broken into lines', text.replace('.p', '.\np'), /line break in it/],
    ['has a letter changed', text.replace('abcdefgh23', 'abcdefgh24'), /mistyped/],
    ['claims another kind', text.replace('agent', 'api'), /mistyped/],
    ['is of a kind that is none', tokenText({ ...token, kind: 'root' as 'api' }), /does not know/],
    ['has a short secret', tokenText({ ...token, secret: 'short' }), /does not know/],
  ])('that %s is refused, and nothing of it repeated', (_, wrong, message) => {
    expect(() => parseToken(wrong)).toThrow(message)
    expect(() => parseToken(wrong)).not.toThrow(token.secret)
  })

  it('of another kind is named, with how to make the right one', () =>
    expect(() => parseTokenOf('api', text)).toThrow(/for joining agents, and one for the API is needed: drover token create --role/))
})

describe('the record of a token', () => {
  const record: TokenRecord = {
    id: token.id,
    kind: 'agent',
    name: 'rack 1',
    sha256: secretHash(token.secret),
    role: null,
    namespaces: null,
    createdAt: 0,
    createdBy: 'ann',
    expiresAt: 1_000,
    usesLeft: 2,
    lastUsedAt: null,
    revokedAt: null,
    joins: [],
  }

  it('knows its secret, and no other', () => {
    expect(isSecretOf(record, token.secret)).toBe(true)
    expect(isSecretOf(record, newToken(token).secret)).toBe(false)
  })

  it('that is not there knows none', () => expect(isSecretOf(undefined, token.secret)).toBe(false))

  it.each<[Partial<TokenRecord>, number, string]>([
    [{}, 999, 'Usable'],
    [{}, 1_000, 'Expired'],
    [{ expiresAt: null, usesLeft: null }, 9e15, 'Usable'],
    [{ usesLeft: 0 }, 0, 'UsedUp'],
    [{ revokedAt: 5, usesLeft: 0 }, 9_999, 'Revoked'],
  ])('%o at %d is %s', (change, now, state) => expect(tokenState({ ...record, ...change }, now)).toBe(state))
})
