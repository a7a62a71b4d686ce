import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseBlob } from '../../src/manifest/blob.ts'
import { manifestJsonSchema } from '../../src/manifest/json-schema.ts'
import { link } from '../../src/manifest/link.ts'
import { parseProcessPolicy } from '../../src/manifest/process-policy.ts'
import { bodyOf } from '../../src/model/body.ts'
import { Manifest, PLANNED_FIELDS, PLANNED_KINDS } from '../../src/model/manifest.ts'
import { Isolation } from '../../src/model/process.ts'
import { ProcessPolicy } from '../../src/model/process-policy.ts'
import { cliOver } from '../support/fake-cli.ts'
import { DOCS, type Doc, inlineCode, README, tableRows, wordsOf } from './markdown.ts'

const marked = (prefix: string, { blocks }: Pick<Doc, 'blocks'> = README) =>
  blocks.flatMap(({ mark, text }) => (mark?.startsWith(prefix) ? [{ about: mark.slice(prefix.length), text }] : []))
const files = marked('file: ')
const outputs = marked('output of: drover ')

describe('manifests in the documents', () => {
  const blocks = DOCS.flatMap(({ path, blocks: all }) =>
    all.filter(({ text }) => text.includes('apiVersion: drover.dev/v1')).map(({ text, mark }) => ({ path, text, mark })),
  )
  const manifests = DOCS.flatMap((doc) => marked('file: ', doc))

  it('are there', () => {
    expect(blocks.length).toBeGreaterThan(1)
    expect(blocks.map(({ mark }) => mark)).not.toContain(null)
  })

  it('are valid, and one app', () => {
    const { desired, problems } = link(manifests.map(({ about, text }) => parseBlob(about, text)))
    expect(problems).toEqual([])
    expect(desired.workloads).toHaveLength(blocks.length)
  })

  it('show a container and a process', () => {
    const { workloads } = link(files.map(({ about, text }) => parseBlob(about, text))).desired
    const specs = workloads.map(({ manifest }) => bodyOf(manifest).template.spec)
    expect(specs.some(({ containers }) => containers !== undefined)).toBe(true)
    expect(specs.some(({ processes }) => processes !== undefined)).toBe(true)
  })
})

describe('output in the README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-docs-'))
  beforeAll(() => {
    for (const { about, text } of files) writeFileSync(join(folder, about), text)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('is there', () => {
    expect(outputs.length).toBeGreaterThan(0)
  })

  it.each(outputs)('of drover $about is what it prints', async ({ about, text }) => {
    const { exit, stdout, stderr } = await cliOver(undefined, { cwd: folder }).run(...wordsOf(about))
    expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: text, stderr: '' })
  })
})

const SPEC_ROW = 'template.spec'

/** Rows of the table of kinds by the kinds they are about. */
const rows = tableRows(README, 'Kinds').flatMap(([first = '', now = '', planned = '']) =>
  inlineCode(first).map((name) => ({ name, now, planned })),
)

/** The names in JSON Schema: fields, and the values they take. */
function namesIn(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(namesIn)
  if (typeof schema !== 'object' || schema === null) return typeof schema === 'string' ? [schema] : []
  return Object.entries(schema).flatMap(([name, value]) => [name, ...namesIn(value)])
}

describe('the table of kinds', () => {
  const kinds = Manifest.options.map((option) => option.shape.kind.value)

  it('has every kind, and no other', () => {
    expect(rows.map(({ name }) => name).toSorted()).toEqual([...kinds, ...PLANNED_KINDS, SPEC_ROW].toSorted())
  })

  it.each([...kinds, SPEC_ROW])('names every planned field of %s, and no other', (name) => {
    const prefix = name === SPEC_ROW ? 'template.' : `${name}.`
    const fields = Object.entries(PLANNED_FIELDS).flatMap(([path, names]) => (path.startsWith(prefix) ? names : []))
    const row = rows.find((one) => one.name === name)
    expect(new Set(inlineCode(row?.planned ?? ''))).toEqual(new Set(fields))
  })

  it.each([...kinds, SPEC_ROW])('promises of %s only what a manifest can say', (name) => {
    const known = new Set(namesIn(manifestJsonSchema()))
    const named = inlineCode(rows.find((one) => one.name === name)?.now ?? '').flatMap((code) => code.split(': '))
    expect(named.filter((word) => !known.has(word))).toEqual([])
  })
})

describe('the policy for processes', () => {
  it('is shown as one that is accepted', () => {
    const texts = README.blocks.flatMap(({ mark, text }) => (mark === 'process policy' ? [text] : []))
    expect(texts).toHaveLength(1)
    for (const text of texts) expect(parseProcessPolicy({ path: 'policy.yaml', text })).toMatchObject({ ok: true })
  })

  it('has every field in the table, and no other', () => {
    const named = tableRows(README, 'Processes').flatMap(([first = '']) => inlineCode(first))
    const beside = ['isolation', ...Isolation.options]
    expect(named.filter((name) => !beside.includes(name)).toSorted()).toEqual(Object.keys(ProcessPolicy.shape).toSorted())
  })
})

const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')
const anchorsOf = ({ prose }: Doc): string[] => [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => slug(heading))

describe('what the documents point to', () => {
  const links = DOCS.flatMap(({ path, prose }) => [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ path, target })))

  it.each(links)('$path: $target is there', ({ path, target }) => {
    const [file = '', anchor] = target.split('#')
    const full = file === '' ? path : join(dirname(path), file)
    expect(existsSync(full)).toBe(true)
    const doc = DOCS.find((one) => one.path === full)
    if (anchor !== undefined) expect(doc === undefined ? [] : anchorsOf(doc)).toContain(anchor)
  })

  const paths = DOCS.slice(0, 2).flatMap(({ path, prose, blocks }) =>
    [prose, ...blocks.map(({ text }) => text)].flatMap((text) =>
      [...text.matchAll(/(?<![\w./-])(?:src|runtime|test|manifests-example)\/[\w./-]*\w/g)].map(([target]) => ({ path, target })),
    ),
  )

  it.each(paths)('$path: $target exists', ({ target }) => {
    expect(existsSync(target)).toBe(true)
  })

  it('covers every folder of the source', () => {
    const named = tableRows(README, 'Layout').map(([first = '']) => first)
    const folders = readdirSync('src', { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [`src/${entry.name}`] : []))
    for (const folder of folders) expect(named.some((cell) => cell.includes(`[${folder}]`))).toBe(true)
  })
})
