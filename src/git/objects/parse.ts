import type { Oid } from '../../model/ids.ts'
import { type CommitInfo, GitError } from '../git-backend.ts'

/** One line of a tree object; the name is raw bytes, as git keeps it. */
export interface TreeEntry {
  /** Octal digits as stored: `40000`, `100644`, `100755`, `120000`, `160000`. */
  readonly mode: string
  readonly name: Buffer
  readonly oid: Oid
}

export const DIRECTORY_MODE = '40000'
export const isDirectory = (mode: string): boolean => mode === DIRECTORY_MODE || mode === '040000'

const OID_BYTES = 20
const SPACE = 0x20

/** @throws GitError `Corrupt` when the bytes are not a tree object. */
export function parseTree(oid: Oid, content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = []
  let at = 0
  while (at < content.length) {
    const space = content.indexOf(SPACE, at)
    const nul = space < 0 ? -1 : content.indexOf(0, space)
    const next = nul + 1 + OID_BYTES
    if (nul < 0 || next > content.length) throw new GitError('Corrupt', `tree ${oid} is malformed`)
    entries.push({
      mode: content.toString('latin1', at, space),
      name: content.subarray(space + 1, nul),
      oid: content.toString('hex', nul + 1, next) as Oid,
    })
    at = next
  }
  return entries
}

/** The bytes of a tree object, entries in git's order (a folder sorts as if its name ended with `/`). */
export function serializeTree(entries: readonly TreeEntry[]): Buffer {
  const key = (entry: TreeEntry) => (isDirectory(entry.mode) ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name)
  const sorted = [...entries].sort((a, b) => Buffer.compare(key(a), key(b)))
  return Buffer.concat(
    sorted.flatMap((entry) => [Buffer.from(`${entry.mode} `), entry.name, Buffer.from([0]), Buffer.from(entry.oid, 'hex')]),
  )
}

const OID = /^[0-9a-f]{40}$/

interface Headers {
  readonly all: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** Header lines until the empty line; a line that starts with a space continues the one before and carries nothing we need. */
function headersOf(content: Buffer): Headers {
  const text = content.toString('utf8')
  const end = text.indexOf('\n\n')
  const lines = (end < 0 ? text : text.slice(0, end)).split('\n').filter((line) => !line.startsWith(' '))
  return {
    all: lines.map((line) => {
      const space = line.indexOf(' ')
      return space < 0 ? ([line, ''] as const) : ([line.slice(0, space), line.slice(space + 1)] as const)
    }),
    body: end < 0 ? '' : text.slice(end + 2),
  }
}

const IDENTITY = /^(?<who>.*) (?<seconds>-?\d{1,15}) [+-]\d{4}$/

/** @throws GitError `Corrupt` when the bytes are not a commit object. */
export function parseCommit(oid: Oid, content: Buffer): CommitInfo {
  const { all, body } = headersOf(content)
  const values = (name: string) => all.filter(([key]) => key === name).map(([, value]) => value)
  const [tree = ''] = values('tree')
  const parents = values('parent')
  const author = IDENTITY.exec(values('author')[0] ?? '')?.groups
  const committer = IDENTITY.exec(values('committer')[0] ?? '')?.groups
  if (![tree, ...parents].every((id) => OID.test(id))) throw new GitError('Corrupt', `commit ${oid} is malformed`)
  return {
    oid,
    tree: tree as Oid,
    parents: parents as Oid[],
    subject: body.trimStart().split('\n', 1)[0] ?? '',
    author: author?.who ?? '',
    committedAt: Number(committer?.seconds ?? 0) * 1000,
  }
}

/** What an annotated tag points at. @throws GitError `Corrupt` when the bytes are not a tag object. */
export function tagTarget(oid: Oid, content: Buffer): Oid {
  const target = headersOf(content).all.find(([name]) => name === 'object')?.[1] ?? ''
  if (!OID.test(target)) throw new GitError('Corrupt', `tag ${oid} is malformed`)
  return target as Oid
}
