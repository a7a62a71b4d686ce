import { Composer, type Document, type Node, type YAMLParseError } from 'yaml'
import type { Problem } from '../model/records.ts'
import { MAX_FILE_BYTES } from './limits.ts'
import { toPlain } from './plain.ts'
import { finder, type LineTable, lineTable, offsetOf, offsetOfKey, type Path } from './positions.ts'
import { byPlace, type Finding, type Place, problemAt, shorten } from './problem.ts'
import { tokenize } from './tokens.ts'

/*
 * Which files and documents are Drover's:
 * - a file is looked at when its name ends in .yaml, .yml or .json (JSON is read as YAML);
 * - a file with `# drover:ignore` among its first comment lines is skipped;
 * - a file in which no document has `apiVersion` or `kind` belongs to another tool (package.json, a compose
 *   file, CI settings) and is skipped; when it cannot be read, the same holds if its text never says
 *   `apiVersion` or `drover.dev/`;
 * - every document of any other file must be a Drover manifest: one of another tool is a problem, never ignored.
 */

type SourceFile = { path: string; text: string }

/** One document of a file: JSON values (maps without a prototype) and where they are written. */
export type ParsedDocument = {
  value: unknown
  /** False when the document has a problem of its own; `value` is then what could be read of it, or null. */
  valid: boolean
  at: Place
  /** Where a value is written, or the nearest thing that holds it. */
  place: (path: Path) => Place
  /** Where a field's name is written. */
  placeOfKey: (path: Path) => Place
}

export type ParsedFile = { documents: ParsedDocument[]; problems: Problem[] }

const IGNORE_MARK = /^#[ \t]*drover:ignore[ \t]*\r?$/

export const isManifestPath = (path: string): boolean => /\.(ya?ml|json)$/i.test(path)

/** True when one of the comment lines at the very top says `drover:ignore`. */
export function isMarkedIgnored(text: string): boolean {
  for (const line of text
    .slice(0, 4096)
    .replace(/^\uFEFF/, '')
    .split('\n')) {
    if (IGNORE_MARK.test(line)) return true
    if (!line.startsWith('#') && line.trim() !== '') return false
  }
  return false
}

/** For files that cannot be read: whether they mean to be Drover's. */
export const looksLikeManifest = (text: string): boolean => /apiVersion|drover\.dev\//.test(text)

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BLOCK_AS_IMPLICIT_KEY: 'put a value that holds ": " in quotes',
  MULTILINE_IMPLICIT_KEY: 'is a ":" missing, or a quote not closed?',
  BAD_INDENT: 'fields of one map start in the same column',
  MISSING_CHAR: 'is a ":", a quote or a bracket missing?',
}

const syntaxFinding = (error: YAMLParseError): Finding => ({
  message: `not valid YAML: ${shorten(error.message, 200)}`,
  hint: SYNTAX_HINTS[error.code] ?? null,
})

type Source = { path: string; places: LineTable; secrecy: 'open' | 'secret' }

/** Of a file with a Secret: what cannot be read there may be a password that is not encrypted yet. */
const UNQUOTED: Finding = {
  message: 'cannot be read; what stands there is not told, for the file holds a Secret',
  hint: 'see `drover validate` of a copy without its values',
}
const secrecyOf = (text: string): Source['secrecy'] => (/^["']?kind["']?:[ \t]*["']?Secret\b/m.test(text) ? 'secret' : 'open')

function readDocument(source: Source, document: Document.Parsed): ParsedFile {
  const root: Node | null = document.contents
  const plain = toPlain(root)
  const find = finder(root)
  const [error] = document.errors
  const problems: Problem[] = []
  const tell = (offset: number, finding: Finding): void => {
    const { message, hint } = source.secrecy === 'secret' ? UNQUOTED : finding
    problems.push(problemAt(source.path, source.places(offset), { message, hint }))
  }
  if (error !== undefined) tell(error.pos[0], syntaxFinding(error))
  else if (!plain.ok) tell(plain.offset, plain)
  const parsed: ParsedDocument = {
    value: plain.ok ? plain.value : null,
    valid: problems.length === 0,
    at: source.places(root?.range?.[0] ?? 0),
    place: (path) => source.places(offsetOf(find(path))),
    placeOfKey: (path) => source.places(offsetOfKey(find(path))),
  }
  return { documents: [parsed], problems }
}

const isEmpty = (document: ParsedDocument): boolean => document.valid && document.value === null

const refused = (path: string, place: Place, { message, hint }: Finding): ParsedFile => ({
  documents: [],
  problems: [problemAt(path, place, { message, hint })],
})

/**
 * Reads one file of YAML documents. Never throws for its content: what is wrong comes back as problems, at most one
 * a document, and a document's mistake does not touch the others. A file past a limit has no documents.
 */
export function parseFile({ path, text }: SourceFile): ParsedFile {
  if (new TextEncoder().encode(text).length > MAX_FILE_BYTES)
    return refused(path, { line: 1, column: 1 }, { message: 'the file is larger than 1 MiB', hint: 'split it into several files' })
  const places = lineTable(text)
  const tokens = tokenize(text)
  if (!tokens.ok) return refused(path, places(tokens.refusal.offset), tokens.refusal)
  const composer = new Composer({ version: '1.2', uniqueKeys: false, merge: false, prettyErrors: false, logLevel: 'silent' })
  const composed = [...composer.compose(tokens.tokens, true, text.length)] as Document.Parsed[]
  const read = composed.map((document) => readDocument({ path, places, secrecy: secrecyOf(text) }, document))
  return {
    documents: read.flatMap((part) => part.documents).filter((document) => !isEmpty(document)),
    problems: read.flatMap((part) => part.problems).sort(byPlace),
  }
}
