import type { Problem } from '../model/records.ts'
import { hasType } from './identity.ts'
import { MAX_PROBLEMS } from './limits.ts'
import { isManifestPath, isMarkedIgnored, looksLikeManifest, type ParsedFile, parseFile } from './parse.ts'
import { problemAt } from './problem.ts'
import { type CheckedDocument, capProblems, validate } from './validate.ts'

/** One file, read and checked by itself. Plain JSON; the same path and content always give the same. */
export type CheckedFile = {
  path: string
  /** Length in UTF-16 code units of what was read; 0 for a file that is not Drover's. */
  size: number
  documents: CheckedDocument[]
  problems: Problem[]
  /** True when something in it that cannot be read might be any workload. */
  unreadable: boolean
}

const notOurs = (path: string): CheckedFile => ({ path, size: 0, documents: [], problems: [], unreadable: false })

/** See the rule at the top of parse.ts. */
function isOurs(text: string, parsed: ParsedFile): boolean {
  if (parsed.documents.some((document) => hasType(document.value))) return true
  return parsed.problems.length > 0 && looksLikeManifest(text)
}

/** SOPS seals the values of all documents of a file together. */
const notAlone = (path: string, { at }: CheckedDocument): Problem =>
  problemAt(path, at, { message: 'an encrypted Secret shares its file with other documents', hint: 'give it a file of its own' })

/**
 * Reads and checks one file, without looking at any other: `link` does that. Cachable by path and blob.
 * Takes well under two seconds for any content up to the size limit, but run it off the leader's main thread.
 */
export function parseBlob(path: string, text: string): CheckedFile {
  if (!isManifestPath(path) || isMarkedIgnored(text)) return notOurs(path)
  const parsed = parseFile({ path, text })
  if (!isOurs(text, parsed)) return notOurs(path)
  const validated = parsed.documents.map((document) => validate(path, document))
  const alone = validated.length === 1 ? [] : validated.flatMap((one) => (one.document.sops === null ? [] : [notAlone(path, one.document)]))
  const documents = validated.map(({ document }) => document)
  return {
    path,
    size: text.length,
    documents,
    problems: capProblems([...parsed.problems, ...validated.flatMap(({ problems }) => problems), ...alone], MAX_PROBLEMS),
    unreadable: parsed.documents.length === 0 || documents.some((document) => document.mayHideWorkload),
  }
}
