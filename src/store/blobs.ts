import { createHash } from 'node:crypto'
import { TerminalError } from '../lib/errors.ts'
import type { Digest } from '../model/ids.ts'
import { MAX_VALUE_BYTES, type Op, type Store } from './store.ts'

const blobKey = (digest: Digest, chunk: number) => `blobs/${digest}/${chunk}`

/**
 * Puts a body under its own SHA-256, in chunks of at most `MAX_VALUE_BYTES`; see `groupOps` to send many.
 * @throws TerminalError `BadBlob` when `digest` is not the SHA-256 of `text` in hex.
 */
export function blobOps(digest: Digest, text: string): Op[] {
  const bytes = Buffer.from(text)
  const actual = createHash('sha256').update(bytes).digest('hex')
  if (actual !== digest) throw new TerminalError('BadBlob', `blob ${digest} has content of ${actual}`)
  return chunksOf(bytes).map((value, index) => ({ op: 'put', key: blobKey(digest, index), value }))
}

function chunksOf(bytes: Buffer): string[] {
  const chunks: string[] = []
  let start = 0
  do {
    const end = wholeCharactersEnd(bytes, start + MAX_VALUE_BYTES)
    chunks.push(bytes.toString('utf8', start, end))
    start = end
  } while (start < bytes.length)
  return chunks
}

/** Steps back over UTF-8 continuation bytes, for a chunk must be text by itself. */
function wholeCharactersEnd(bytes: Buffer, limit: number): number {
  if (limit >= bytes.length) return bytes.length
  let end = limit
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return end
}

/** The keys that hold a body, all of them or what is left; none when it is absent. */
export async function blobKeys(store: Pick<Store, 'get'>, digest: Digest): Promise<string[]> {
  const keys: string[] = []
  while ((await store.get(blobKey(digest, keys.length))) !== null) keys.push(blobKey(digest, keys.length))
  return keys
}

/**
 * The body of a blob; null when it is absent, a chunk of it is missing, or its content is not what the digest says.
 * Reads chunk by chunk until the hash fits, so a body of one chunk costs one read.
 */
export async function readBlob(store: Pick<Store, 'get'>, digest: Digest): Promise<string | null> {
  const hash = createHash('sha256')
  let text = ''
  for (let index = 0; ; index += 1) {
    const chunk = await store.get(blobKey(digest, index))
    if (chunk === null) return null
    text += chunk.value
    hash.update(chunk.value)
    if (hash.copy().digest('hex') === digest) return text
  }
}
