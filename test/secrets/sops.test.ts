import { armor, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SopsDocument, SopsLeaf } from '../../src/model/secret.ts'
import { openSops } from '../../src/secrets/sops.ts'
import { ANN, BOB, codeOf, encrypted, failureOf, leavesWith, REGEX, rewritten, shownOf, typedLeaf } from './support.ts'

/** Any text that UTF-8 has, line breaks and control characters too. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '\n', 'a\nb\n', ' ', '\u0000', '🔑', 'null'),
)
const values = fc.dictionary(fc.stringMatching(/^[a-zA-Z_.-][\w.-]{0,15}$/), text, { minKeys: 1, maxKeys: 6 })

const open = (document: SopsDocument, ...identities: readonly string[]) => openSops(document, identities)
const DOCUMENT = await encrypted(leavesWith({ user: 'admin', password: 'hunter2', token: 'x'.repeat(5000) }), ANN)

describe('a document', () => {
  it('comes back as it was', () =>
    fc.assert(
      fc.asyncProperty(values, async (given) => {
        const leaves = leavesWith(given)
        const opened = await open(await encrypted(leaves, ANN), ANN.identity)
        expect(opened).toEqual(leaves)
      }),
      { numRuns: 60 },
    ))

  it('shows no value, but for what is empty and what is not to be encrypted', () =>
    fc.assert(
      fc.asyncProperty(values, async (given) => {
        const { leaves } = await encrypted(leavesWith(given), ANN)
        for (const { path, value } of leaves) {
          const plain = path[0] === 'stringData' ? given[path[1] ?? ''] : undefined
          if (plain !== undefined && plain !== '') expect(value).toMatch(/^ENC\[AES256_GCM,/)
          else expect(String(value)).not.toContain('ENC[')
        }
      }),
      { numRuns: 30 },
    ))

  it('has its own key each time', async () => {
    const again = await encrypted(leavesWith({ user: 'admin' }), ANN)
    const once = await encrypted(leavesWith({ user: 'admin' }), ANN)
    expect(again.leaves.at(-1)?.value).not.toBe(once.leaves.at(-1)?.value)
    expect(await codeOf(open({ leaves: once.leaves, sops: again.sops }, ANN.identity))).toBe('Tampered')
  })

  it('says who may open it, when it was written and how', () => {
    expect(DOCUMENT.sops).toMatchObject({
      age: [{ recipient: ANN.recipient, enc: expect.stringMatching(/^-----BEGIN AGE ENCRYPTED FILE-----\n/) }],
      lastmodified: '2026-11-20T08:30:15Z',
      encrypted_regex: REGEX,
      version: '3.9.0',
    })
  })

  it('opens for each recipient, with one of many identities', async () => {
    const document = await encrypted(leavesWith({ user: 'admin' }), ANN, BOB, BOB)
    expect(document.sops.age).toHaveLength(2)
    for (const identity of [ANN.identity, BOB.identity]) expect((await open(document, identity)).at(-1)?.value).toBe('admin')
    expect((await open(DOCUMENT, BOB.identity, ANN.identity))[3]?.value).toBe('admin')
  })

  it('opens with a post-quantum identity', async () => {
    const identity = await generateHybridIdentity()
    const document = await encrypted(leavesWith({ user: 'admin' }), { identity, recipient: await identityToRecipient(identity) })
    expect((await open(document, identity)).at(-1)?.value).toBe('admin')
  })
})

describe('tampering', () => {
  const last = DOCUMENT.leaves.length - 1
  const at = (index: number): SopsLeaf => DOCUMENT.leaves[index] as SopsLeaf
  const withLeaves = (leaves: readonly SopsLeaf[]): SopsDocument => ({ ...DOCUMENT, leaves })
  const withValue = (index: number, value: SopsLeaf['value']) =>
    withLeaves(DOCUMENT.leaves.map((leaf, i) => (i === index ? { ...leaf, value } : leaf)))
  const flipped = (value: unknown, field: string) =>
    String(value).replace(new RegExp(`${field}:(.)`), (_, first: string) => `${field}:${first === 'A' ? 'B' : 'A'}`)
  const mac = DOCUMENT.sops.mac

  it.each<[string, SopsDocument]>([
    ['a changed value', withValue(3, flipped(at(3).value, 'data'))],
    ['a changed nonce', withValue(3, flipped(at(3).value, 'iv'))],
    ['a changed tag', withValue(3, flipped(at(3).value, 'tag'))],
    ['a shortened tag', withValue(3, String(at(3).value).replace(/tag:.{22}==/, 'tag:AAAA'))],
    ['a tag with less padding', withValue(3, String(at(3).value).replace('==,type', '=,type'))],
    ['no nonce', withValue(3, String(at(3).value).replace(/iv:[^,]+/, 'iv:'))],
    ['a broken value', withValue(3, 'ENC[AES256_GCM,data:!')],
    ['another type', withValue(3, String(at(3).value).replace('type:str', 'type:int'))],
    ['a type that there is not', withValue(3, String(at(3).value).replace('type:str', 'type:foo'))],
    ['a value in plain', withValue(3, 'admin')],
    ['a number in plain', withValue(3, 5)],
    ['an emptied value', withValue(3, '')],
    [
      'swapped values',
      withLeaves([...DOCUMENT.leaves.slice(0, 3), { ...at(3), value: at(4).value }, { ...at(4), value: at(3).value }, at(5)]),
    ],
    ['swapped keys and values', withLeaves([...DOCUMENT.leaves.slice(0, 3), at(4), at(3), at(5)])],
    ['another key for a value', withLeaves(DOCUMENT.leaves.map((leaf, i) => (i === 3 ? { ...leaf, path: ['stringData', 'root'] } : leaf)))],
    ['a value moved to data', withLeaves(DOCUMENT.leaves.map((leaf, i) => (i === 3 ? { ...leaf, path: ['data', 'user'] } : leaf)))],
    ['a removed value', withLeaves(DOCUMENT.leaves.filter((_, i) => i !== 3))],
    ['the last value removed', withLeaves(DOCUMENT.leaves.slice(0, last))],
    ['a repeated value', withLeaves([...DOCUMENT.leaves, at(last)])],
    ['an added value', withLeaves([...DOCUMENT.leaves, { path: ['metadata', 'labels', 'a'], value: 'b' }])],
    ['an added value in plain', withLeaves([...DOCUMENT.leaves, { path: ['stringData', 'extra'], value: 'b' }])],
    ['another name', withValue(2, 'other')],
    ['all values removed', withLeaves([])],
    ['another seal', { ...DOCUMENT, sops: { ...DOCUMENT.sops, mac: flipped(mac, 'data') } }],
    ['a value as the seal', { ...DOCUMENT, sops: { ...DOCUMENT.sops, mac: String(at(3).value) } }],
    ['no seal', { ...DOCUMENT, sops: { ...DOCUMENT.sops, mac: '' } }],
    ['another date', { ...DOCUMENT, sops: { ...DOCUMENT.sops, lastmodified: '2026-11-20T08:30:16Z' } }],
    ['a seal said to be over encrypted values only', { ...DOCUMENT, sops: { ...DOCUMENT.sops, mac_only_encrypted: true } }],
    ['another rule', { ...DOCUMENT, sops: { ...DOCUMENT.sops, encrypted_regex: '^data$' } }],
  ])('%s is found out', async (_, document) => {
    expect(document).not.toEqual(DOCUMENT)
    expect(await codeOf(open(document, ANN.identity))).toBe('Tampered')
  })

  /** Values move into the plain ones next to them: the seal has nothing between values, so it stays the same. */
  it('that the seal cannot see is found by the rule of what is encrypted', async () => {
    const leaves = [
      ...leavesWith({}).slice(0, 2),
      { path: ['metadata', 'note'], value: 'to root:evil' },
      { path: ['stringData', 'user'], value: 'admin' },
    ]
    const document = await encrypted(leaves, ANN)
    const [api, kind, , user] = document.leaves as [SopsLeaf, SopsLeaf, SopsLeaf, SopsLeaf]
    const note = { path: ['metadata', 'note'], value: 'to root:' }
    const split = { ...document, leaves: [api, kind, note, { path: ['stringData', 'run'], value: 'evil' }, user] }
    expect(await codeOf(open(split, ANN.identity))).toBe('Tampered')
  })

  it('with the data key is found out, and told from a wrong identity', async () => {
    const [wrapped] = DOCUMENT.sops.age ?? []
    const bytes = armor.decode(wrapped?.enc ?? '')
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const sops = { ...DOCUMENT.sops, age: [{ recipient: ANN.recipient, enc: armor.encode(bytes) }] }
    expect(await codeOf(open({ ...DOCUMENT, sops }, ANN.identity))).toBe('Tampered')
    expect(await codeOf(open({ ...DOCUMENT, sops }, BOB.identity))).toBe('WrongIdentity')
    const broken = { ...DOCUMENT.sops, age: [{ recipient: ANN.recipient, enc: 'nothing' }] }
    expect(await codeOf(open({ ...DOCUMENT, sops: broken }, ANN.identity))).toBe('Tampered')
    const huge = { ...DOCUMENT.sops, age: [{ recipient: ANN.recipient, enc: `${wrapped?.enc}${' '.repeat(10_000)}` }] }
    expect(await codeOf(open({ ...DOCUMENT, sops: huge }, ANN.identity))).toBe('Tampered')
  })

  it('with keys for many, which would take long to try, is refused at once', async () => {
    const encrypter = new Encrypter()
    for (let count = 0; count < 4; count++) encrypter.addRecipient(ANN.recipient)
    const enc = armor.encode(await encrypter.encrypt(new Uint8Array(32)))
    const sops = { ...DOCUMENT.sops, age: [{ recipient: ANN.recipient, enc }] }
    expect(await codeOf(open({ ...DOCUMENT, sops }, ANN.identity))).toBe('Tampered')
    const many = Array.from({ length: 101 }, () => ({ recipient: ANN.recipient, enc }))
    expect(await codeOf(open({ ...DOCUMENT, sops: { ...sops, age: many } }, ANN.identity))).toBe('Malformed')
  })

  it('with one recipient does not keep the others out', async () => {
    const document = await encrypted(leavesWith({ user: 'admin' }), ANN, BOB)
    const age = (document.sops.age ?? []).map((wrapped, index) => (index === 0 ? { ...wrapped, enc: 'nothing' } : wrapped))
    expect((await open({ ...document, sops: { ...document.sops, age } }, BOB.identity)).at(-1)?.value).toBe('admin')
  })
})

describe('keys', () => {
  it('of somebody else do not open it, and the error says whose it is', async () => {
    const error = await failureOf(open(DOCUMENT, BOB.identity))
    expect(error.code).toBe('WrongIdentity')
    expect(error.message).toContain(ANN.recipient)
  })

  it('are needed', async () => expect(await codeOf(open(DOCUMENT))).toBe('NoIdentity'))

  it('must be whole', async () => {
    const mistyped = `${ANN.identity.slice(0, -1)}${ANN.identity.endsWith('Q') ? 'P' : 'Q'}`
    const error = await failureOf(open(DOCUMENT, mistyped))
    expect(error.code).toBe('Malformed')
    expect(shownOf(error)).not.toContain(mistyped.slice(20, 60))
  })

  it('of other services only are not enough', async () => {
    const { age: _, ...sops } = DOCUMENT.sops
    expect(await codeOf(open({ ...DOCUMENT, sops: { ...sops, pgp: [{ fp: 'x' }] } }, ANN.identity))).toBe('NotAge')
    expect(await codeOf(open({ ...DOCUMENT, sops: { ...sops, age: [] } }, ANN.identity))).toBe('NotAge')
  })

  it('that are parts of one key do not open it', async () => {
    const encrypter = new Encrypter()
    encrypter.addRecipient(ANN.recipient)
    const part = armor.encode(await encrypter.encrypt(new Uint8Array(33)))
    const sops = { ...DOCUMENT.sops, age: [{ recipient: ANN.recipient, enc: part }] }
    expect(await codeOf(open({ ...DOCUMENT, sops }, ANN.identity))).toBe('Malformed')
  })

  it('that are no recipients are refused, and an identity in their place is not shown', async () => {
    const wrong = await failureOf(encrypted(leavesWith({ a: 'b' }), ANN, { identity: '', recipient: `${BOB.recipient}x` }))
    expect({ code: wrong.code, message: wrong.message }).toEqual({ code: 'Malformed', message: expect.stringContaining('recipient 2') })
    const mixed = await failureOf(encrypted(leavesWith({ a: 'b' }), { identity: '', recipient: ANN.identity }))
    expect(mixed.message).toContain('secret')
    expect(shownOf(mixed)).not.toContain(ANN.identity.slice(20, 60))
    expect(await codeOf(encrypted(leavesWith({ a: 'b' })))).toBe('NoIdentity')
  })
})

describe('what SOPS writes and we do not', () => {
  const path = (name: string) => ['stringData', name]
  const typed = (key: Buffer): SopsLeaf[] => [
    typedLeaf(path('int'), '-5432', { key, type: 'int' }),
    typedLeaf(path('float'), '3.14', { key, type: 'float' }),
    typedLeaf(path('yes'), 'True', { key, type: 'bool' }),
    typedLeaf(path('no'), 'False', { key, type: 'bool' }),
  ]
  const counted = ['-5432', '3.14', 'True', 'False'].map((text) => ({ counted: text, encrypted: true }))

  it('is read: numbers and booleans', async () => {
    const document = await rewritten(DOCUMENT, { sops: {}, leaves: typed, counted })
    expect((await open(document, ANN.identity)).map(({ value }) => value)).toEqual(['-5432', '3.14', 'true', 'false'])
  })

  it('is read: plain numbers and booleans count as Go and Python write them', async () => {
    const plain = [7, 1.5, 1e21, 1.25e-7, -2e-7, true, false].map((value) => ({ path: ['n'], value }))
    const texts = ['7', '1.5', '1000000000000000000000', '0.000000125', '-0.0000002', 'True', 'False']
    const seal = texts.map((text) => ({ counted: text, encrypted: false }))
    const document = await rewritten(DOCUMENT, { sops: {}, leaves: () => plain, counted: seal })
    expect((await open(document, ANN.identity)).map(({ value }) => value)).toEqual([...texts.slice(0, 5), 'true', 'false'])
  })

  it('is read: a seal over encrypted values only, beside which plain ones may change', async () => {
    const noted = (value: string) => (key: Buffer) => [{ path: ['note'], value }, ...typed(key)]
    const seal = [{ counted: 'before', encrypted: false }, ...counted]
    const change = { sops: { mac_only_encrypted: true }, counted: seal }
    const document = await rewritten(DOCUMENT, { ...change, leaves: noted('after') })
    expect((await open(document, ANN.identity)).map(({ value }) => value)).toEqual(['after', '-5432', '3.14', 'true', 'false'])
    const added = { ...document, leaves: [...document.leaves, { path: path('extra'), value: 'plain' }] }
    expect(await codeOf(open(added, ANN.identity))).toBe('Tampered')
    const removed = { ...document, leaves: document.leaves.slice(0, -1) }
    expect(await codeOf(open(removed, ANN.identity))).toBe('Tampered')
  })

  it('is read: other rules of what is encrypted', async () => {
    const leaves = (key: Buffer) => [{ path: ['note_plain'], value: 'seen' }, ...typed(key)]
    const seal = [{ counted: 'seen', encrypted: false }, ...counted]
    for (const rule of [
      { unencrypted_suffix: '_plain' },
      { unencrypted_regex: '^note_' },
      { encrypted_regex: '.*Data$' },
      { encrypted_regex: '[a-z]*Data' },
    ]) {
      const document = await rewritten(DOCUMENT, { sops: { encrypted_regex: '', ...rule }, leaves, counted: seal })
      expect((await open(document, ANN.identity))[0]?.value).toBe('seen')
    }
  })

  it('is refused where it cannot be told what is encrypted', async () => {
    const both = { ...DOCUMENT.sops, encrypted_suffix: 'x' }
    expect(await codeOf(open({ ...DOCUMENT, sops: both }, ANN.identity))).toBe('Malformed')
    const complex = { ...DOCUMENT.sops, encrypted_regex: '^(a+)+$', mac_only_encrypted: true }
    expect(await codeOf(open({ ...DOCUMENT, sops: complex }, ANN.identity))).toBe('Malformed')
  })
})

describe('errors', () => {
  /** Long enough to be nothing else by chance. */
  const marked = fc.string({ unit: 'grapheme-ascii', maxLength: 20 }).map((rest) => `S3CRET-${rest}-VALUE`)

  it('never show a value or an identity', () =>
    fc.assert(
      fc.asyncProperty(marked, fc.nat(), fc.nat(8), async (secret, where, kind) => {
        const document = await encrypted(leavesWith({ user: 'admin', password: secret }), ANN)
        const leaf = document.leaves.at(-1) as SopsLeaf
        const others = document.leaves.slice(0, -1)
        const cipher = String(leaf.value)
        const cut = where % cipher.length
        const broken: SopsDocument[] = [
          { ...document, leaves: [...others, { ...leaf, value: cipher.slice(0, cut) + cipher.slice(cut + 1) }] },
          { ...document, leaves: [...others, { ...leaf, value: secret }] },
          { ...document, leaves: others },
          { ...document, leaves: [...document.leaves, { path: ['note'], value: secret }] },
          { ...document, leaves: [...others, { ...leaf, path: ['data', 'x'] }] },
          { ...document, leaves: [...others, { ...leaf, value: cipher.replace('type:str', 'type:int') }] },
          { ...document, leaves: [...others, { ...leaf, value: cipher.replace('type:str', 'type:bool') }] },
          { ...document, sops: { ...document.sops, mac: cipher } },
          { ...document, sops: { ...document.sops, age: [{ recipient: ANN.recipient, enc: secret }] } },
        ]
        const error = await failureOf(open(broken[kind] as SopsDocument, ANN.identity))
        expect(shownOf(error)).not.toContain(secret)
        expect(shownOf(error)).not.toContain('S3CRET')
        expect(shownOf(error)).not.toContain(ANN.identity.slice(20, 60))
      }),
      { numRuns: 90 },
    ))
})
