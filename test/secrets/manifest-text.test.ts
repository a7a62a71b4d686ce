import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, parseDocument, stringify } from 'yaml'
import { decryptManifest, encryptManifest } from '../../src/secrets/manifest-text.ts'
import { leavesOf, readYaml } from '../../src/secrets/yaml-leaves.ts'
import { ANN, BOB, codeOf, failureOf, NOW, REGEX, shownOf } from './support.ts'

const encrypt = (text: string) => encryptManifest(text, { recipients: [ANN.recipient], now: NOW })
const decrypt = (text: string) => decryptManifest(text, [ANN.identity])

const WRITTEN = `# the database
apiVersion: drover.dev/v1
kind: Secret
metadata:
    name: db # its name
    labels:
        - { since: "2021-01-01", tier: 7 }

# what it holds
stringData:
    # who
    user: admin
    password: "p: #x" # changed in May
    cert: |
        line 1

        line 2
    empty: ""
    port: "5432"
data:
    blob: aGFsbG8=

# the end
`

const HEAD = 'apiVersion: drover.dev/v1\nkind: Secret\nmetadata: {name: db}\n'
const secret = (rest: string) => `${HEAD}${rest}\n`

describe('the file of a Secret', () => {
  it('comes back as it was written', async () => expect(await decrypt(await encrypt(WRITTEN))).toBe(WRITTEN))

  it('keeps everything but its values, and gets a section of SOPS', async () => {
    const text = await encrypt(WRITTEN)
    const masked = text
      .replace(/ENC\[AES256_GCM,data:\S+,iv:\S{44},tag:\S{24},type:str\]/g, 'ENC')
      .replace(/ {10,}-----BEGIN[\s\S]*END AGE ENCRYPTED FILE-----\n/, '          ARMOUR\n')
    expect(masked).toBe(`# the database
apiVersion: drover.dev/v1
kind: Secret
metadata:
    name: db # its name
    labels:
        - { since: "2021-01-01", tier: 7 }

# what it holds
stringData:
    # who
    user: ENC
    password: "ENC" # changed in May
    cert: ENC
    empty: ""
    port: "ENC"
data:
    blob: ENC
sops:
    age:
        - recipient: ${ANN.recipient}
          enc: |
          ARMOUR
    lastmodified: "2026-11-20T08:30:15Z"
    mac: ENC
    encrypted_regex: ${REGEX}
    version: 3.9.0

# the end
`)
  })

  it('in JSON stays JSON', async () => {
    const value = { apiVersion: 'drover.dev/v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { a: 'b\nc', d: '2' } }
    const text = await encrypt(JSON.stringify(value))
    expect(JSON.parse(text)).toMatchObject({ stringData: { a: expect.stringMatching(/^ENC/) }, sops: { version: '3.9.0' } })
    expect(JSON.parse(await decrypt(text))).toEqual(value)
  })

  it('holds the same values after all, whatever they are', () =>
    fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.stringMatching(/^[a-zA-Z.-][\w.-]{0,15}$/), fc.string({ unit: 'binary' }), { minKeys: 1, maxKeys: 5 }),
        fc.constantFrom(undefined, 'BLOCK_LITERAL' as const, 'QUOTE_DOUBLE' as const, 'QUOTE_SINGLE' as const),
        async (values, style) => {
          const value = { apiVersion: 'drover.dev/v1', kind: 'Secret', metadata: { name: 'db' }, stringData: values }
          const text = await encrypt(stringify(value, style === undefined ? {} : { defaultStringType: style }))
          expect(parse(await decrypt(text), { logLevel: 'silent' })).toEqual(value)
          const written: Record<string, string> = parse(text).stringData
          for (const [key, plain] of Object.entries(values)) expect(written[key]).toMatch(plain === '' ? /^$/ : /^ENC\[AES256_GCM,/)
        },
      ),
      { numRuns: 60 },
    ))

  it('quotes what other readers take for a number or a date', async () => {
    const text = await encrypt(secret('stringData: {a: b}').replace('name: db', 'name: 2021-01-01, x: 1_000, z: yes'))
    expect(text).toContain('name: "2021-01-01", x: "1_000", z: "yes"')
    expect(await decrypt(text)).toContain('name: "2021-01-01"')
  })

  it('opens for each recipient', async () => {
    const text = await encryptManifest(WRITTEN, { recipients: [ANN.recipient, BOB.recipient], now: NOW })
    for (const { identity } of [ANN, BOB]) expect(await decryptManifest(text, [identity])).toBe(WRITTEN)
  })

  it('is not opened once a line has changed', async () => {
    const text = await encrypt(WRITTEN)
    for (const [from, to] of [
      ['name: db', 'name: dc'],
      ['    user:', '    root:'],
      ['empty: ""', 'empty: "x"'],
      ['tier: 7', 'tier: 8'],
    ] as const)
      expect(await codeOf(decrypt(text.replace(from, to)))).toBe('Tampered')
    expect(await decrypt(text.replace('# who', '# whoever'))).toContain('# whoever')
  })
})

describe('what cannot be encrypted', () => {
  it.each([
    ['is nothing', '', 'empty'],
    ['is a text', 'hello', 'one YAML map'],
    ['is of another kind', secret('stringData: {a: b}').replace('Secret', 'ConfigMap'), 'only a Secret'],
    ['is of another tool', secret('stringData: {a: b}').replace('drover.dev/v1', 'v1'), 'drover.dev/v1'],
    ['has several documents', `${secret('stringData: {a: b}')}---\n${secret('stringData: {a: b}')}`, 'several documents'],
    ['has no values', secret(''), 'no values'],
    ['has no value below its fields', secret('data:\nstringData: {}'), 'no values'],
    ['has a list of values', secret('stringData: [a]'), 'stringData must be a map'],
    ['has a number', secret('stringData: {port: 5432}'), 'stringData.port is no text'],
    ['has a boolean', secret('data: {on: true}'), 'data.on is no text'],
    ['has a map below', secret('stringData: {a: {b: c}}'), 'stringData.a is no text'],
    ['has nothing where a value must be', secret('stringData:\n  a:\n  b: c'), 'stringData.a is no text'],
    ['has another tag', secret('stringData: {a: !!binary aGFsbG8=}'), 'stringData.a is no text'],
    ['has an alias', secret('stringData: {a: &x b, c: *x}'), 'stringData.c is no text'],
    ['has an alias elsewhere', secret('x: &x b\ny: *x\nstringData: {a: b}'), 'y is a YAML alias'],
    ['has half of a character', secret('stringData: {a: "\\uD800"}'), 'stringData.a holds half of a character'],
    ['has one key twice', secret('stringData: {a: b, a: c}'), 'line 4, column 20 is not valid YAML (DUPLICATE_KEY)'],
    ['is no YAML', secret('stringData: {a: "b}'), 'is not valid YAML'],
    [
      'holds a ciphertext without its section',
      secret('stringData: {a: "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]"}'),
      'encrypted already',
    ],
  ])('%s', async (_, text, why) => {
    const error = await failureOf(encrypt(text))
    expect(error.code).toBe('Malformed')
    expect(error.message).toContain(why)
  })

  it('is encrypted already', async () => {
    const error = await failureOf(encrypt(await encrypt(WRITTEN)))
    expect(error).toMatchObject({ code: 'Malformed', message: expect.stringContaining('drover secret decrypt') })
  })

  it('is for nobody', async () => expect(await codeOf(encryptManifest(WRITTEN, { recipients: [], now: NOW }))).toBe('NoIdentity'))
})

describe('what cannot be decrypted', () => {
  it('is in plain', async () => expect((await failureOf(decrypt(WRITTEN))).message).toContain('not encrypted'))

  it.each(['sops: 5', 'sops: {age: [{recipient: x}], lastmodified: 5, mac: x}'])('has a section that is none: %s', async (section) => {
    const error = await failureOf(decrypt(secret(`stringData: {a: b}\n${section}`)))
    expect(error).toMatchObject({ code: 'Malformed', message: expect.stringContaining('sops') })
  })
})

describe('errors', () => {
  it('never show a value, broken YAML or not', () =>
    fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
        fc.constantFrom(
          '{a: "%',
          '{a: "%", b: 5}',
          '\n  a: %\n c: d',
          '\n\ta: %',
          '{a: %, a: x}',
          '[%]',
          '{? [%] : x}',
          '\n  a: "\\uD800 %"',
        ),
        async (rest, shape) => {
          const secretText = `S3CRET${rest.replaceAll(/["\\]/g, '')}VALUE`
          const outcome = await encrypt(secret(`stringData: ${shape.replace('%', () => secretText)}`)).catch((error: Error) => error)
          expect(typeof outcome === 'string' ? outcome : shownOf(outcome)).not.toContain('S3CRET')
        },
      ),
      { numRuns: 200 },
    ))
})

describe('leaves', () => {
  const leaves = (text: string) => leavesOf(readYaml(text)).map(({ leaf }) => [leaf.path.join('/'), leaf.value])

  it('are all values but null and those of sops, in order, lists without positions', () =>
    expect(leaves('b: 1\na: [x, {c: true}, [2.5]]\nn: ~\nsops: {mac: x}\n7: y\nsub: {sops: z}')).toEqual([
      ['b', 1],
      ['a', 'x'],
      ['a/c', true],
      ['a', 2.5],
      ['7', 'y'],
      ['sub/sops', 'z'],
    ]))

  it('are exact, though numbers are not', () =>
    expect(leaves('a: 9223372036854775807\nb: 1e3\nc: 0x1f')).toEqual([
      ['a', '9223372036854775807'],
      ['b', 1000],
      ['c', 31],
    ]))
})

describe('numbers and booleans that SOPS has encrypted', () => {
  it('are written as such', async () => {
    const text = await encrypt(secret('stringData: {a: "9223372036854775807", b: "True", c: "1.5", d: "7"}'))
    const document = parseDocument(text)
    const types = { a: 'int', b: 'bool', c: 'float' }
    for (const [key, type] of Object.entries(types)) {
      const value = String(document.getIn(['stringData', key]))
      document.setIn(['stringData', key], value.replace('type:str', `type:${type}`))
    }
    expect(await decrypt(document.toString({ lineWidth: 0 }))).toContain('a: 9223372036854775807, b: true, c: 1.5, d: "7"')
  })
})
