import { type Document, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, Scalar, type YAMLMap } from 'yaml'
import { type SopsDocument, type SopsLeaf, SopsMetadata } from '../model/secret.ts'
import { SecretError } from './secret-error.ts'

/** A YAML file of one document, whose root is a map. */
export interface YamlFile {
  readonly document: Document
  readonly root: YAMLMap
  /** Spaces that the file indents with. */
  readonly indent: number
}

/** A value and where it is written, so that it can be replaced. */
export interface WrittenLeaf {
  readonly leaf: SopsLeaf
  readonly node: Scalar
}

/** The section that SOPS adds to a document, and does not count among its values. */
export const SOPS = 'sops'

/** Other readers, real SOPS among them, take more plain words for numbers and dates than YAML 1.2: those are quoted. */
const OPTIONS = { version: '1.2', merge: false, prettyErrors: false, logLevel: 'silent', compat: 'yaml-1.1' } as const

/** @throws SecretError Malformed; YAML's own errors are not shown, for they quote the text. */
export function readYaml(text: string): YamlFile {
  const lineCounter = new LineCounter()
  const documents: readonly Document.Parsed[] = [...parseAllDocuments(text, { ...OPTIONS, lineCounter })]
  const [document] = documents
  if (document === undefined) throw new SecretError('Malformed', 'the file is empty: it must hold one Secret')
  if (documents.length > 1) throw new SecretError('Malformed', 'the file has several documents: give each Secret its own file')
  const [error] = document.errors
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0])
    throw new SecretError('Malformed', `line ${line}, column ${col} is not valid YAML (${error.code})`)
  }
  if (!isMap(document.contents)) throw new SecretError('Malformed', 'the file must hold one YAML map, with apiVersion and kind')
  return { document, root: document.contents, indent: indentOf(text) }
}

export function writeYaml({ document, indent }: YamlFile): string {
  return document.toString({ lineWidth: 0, indent, doubleQuotedAsJSON: true })
}

const indentOf = (text: string): number => Math.min(8, /^( +)[^\s#-]/m.exec(text)?.[1]?.length ?? 2)

/**
 * Every value of a document but those of `sops`, as SOPS walks them: in order, nothing for null.
 * @throws SecretError Malformed for aliases, and for keys that are no plain text.
 */
export function leavesOf({ root }: YamlFile): WrittenLeaf[] {
  return root.items.flatMap((pair) => {
    const key = keyOf(pair.key)
    return key === SOPS ? [] : leavesBelow(pair.value, [key])
  })
}

function leavesBelow(node: unknown, path: readonly string[]): WrittenLeaf[] {
  if (isMap(node)) return node.items.flatMap((pair) => leavesBelow(pair.value, [...path, keyOf(pair.key)]))
  if (isSeq(node)) return node.items.flatMap((item) => leavesBelow(item, path))
  if (isScalar(node)) return leafOf(node, path)
  if (node === null || node === undefined) return []
  throw new SecretError('Malformed', `${path.join('.')} is a YAML alias, which is not supported: write the value out`)
}

function leafOf(node: Scalar, path: readonly string[]): WrittenLeaf[] {
  const { value } = node
  if (value === null || value === undefined) return []
  if (typeof value === 'number') return [{ leaf: { path, value: exactly(node, value) }, node }]
  if (typeof value === 'string' || typeof value === 'boolean') return [{ leaf: { path, value }, node }]
  throw new SecretError('Malformed', `${path.join('.')} is no text, number or boolean`)
}

/** SOPS has whole numbers of 64 bits: the digits as written, where a number here would lose some. */
const exactly = ({ source = '' }: Scalar, value: number): number | string =>
  Number.isSafeInteger(value) || !/^-?\d+$/.test(source) ? value : source

function keyOf(key: unknown): string {
  if (isScalar(key) && (typeof key.value === 'string' || typeof key.value === 'number')) return String(key.value)
  throw new SecretError('Malformed', 'every key must be plain text')
}

/**
 * A YAML file that SOPS has encrypted, as its reader takes it.
 * @throws SecretError Malformed for a `sops` section that is none, and for a file without.
 */
export function sopsDocumentOf(file: YamlFile): SopsDocument {
  const section = file.root.get(SOPS, true)
  if (section === undefined) throw new SecretError('Malformed', 'the file has no `sops` section: it is not encrypted')
  const sops = SopsMetadata.safeParse(isMap(section) ? section.toJS(file.document) : null)
  if (sops.success) return { leaves: leavesOf(file).map(({ leaf }) => leaf), sops: sops.data }
  const fields = sops.error.issues.map(({ path }) => [SOPS, ...path].join('.'))
  throw new SecretError('Malformed', `the \`sops\` section is not one of SOPS: look at ${[...new Set(fields)].join(', ')}`)
}

/** Puts another text into the place of a value. Quotes that were there stay, so that JSON stays JSON. */
export function rewrite(node: Scalar, text: string): void {
  node.value = text
  delete node.source
  if (node.type !== Scalar.QUOTE_DOUBLE) delete node.type
}
