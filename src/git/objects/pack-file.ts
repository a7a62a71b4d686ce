import { type FileHandle, open, readFile } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import type { Oid } from '../../model/ids.ts'
import { GitError } from '../git-backend.ts'
import { applyDelta, deltaResultSize } from './delta.ts'
import { deflateBound, inflateAtMost } from './inflate.ts'
import { type PackIndex, parsePackIndex } from './pack-index.ts'

export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag'

export interface RawObject {
  readonly type: ObjectType
  readonly content: Buffer
}

/** Reads any object of the repository: the base of a delta may lie in another pack. */
export type ReadBase = (oid: Oid, maxBytes: number) => Promise<RawObject | null>

const TYPES: Readonly<Record<number, ObjectType>> = { 1: 'commit', 2: 'tree', 3: 'blob', 4: 'tag' }
const OFFSET_DELTA = 6
const REFERENCE_DELTA = 7

/** git itself never writes longer chains (pack.depth is at most 4095). */
const MAX_CHAIN = 4096
const FIRST_READ_BYTES = 4096
/** A small object may be a delta of a big one; beyond this even a base is refused. */
const MAX_BASE_BYTES = 128 * 1024 * 1024
const CACHE_BYTES = 16 * 1024 * 1024

export interface EntryHeader {
  readonly type: number
  /** Inflated bytes of this entry (of the delta, where it is one). */
  readonly size: number
  readonly base: { readonly offset: number } | { readonly oid: Oid } | null
  /** Bytes from the start of the entry to its zlib stream. */
  readonly length: number
}

/** @throws GitError `Corrupt` when the bytes cannot begin an entry. */
export function entryHeader(bytes: Buffer, offset: number): EntryHeader {
  let at = 0
  const next = () => {
    const value = bytes[at++]
    if (value === undefined) throw new GitError('Corrupt', 'a pack ends in the middle of an entry')
    return value
  }
  let current = next()
  const type = (current >> 4) & 7
  let size = current & 15
  for (let scale = 16; current & 0x80; scale *= 128) {
    current = next()
    size += (current & 0x7f) * scale
  }
  if (type === REFERENCE_DELTA) return { type, size, base: { oid: bytes.toString('hex', at, at + 20) as Oid }, length: at + 20 }
  if (type !== OFFSET_DELTA) return { type, size, base: null, length: at }
  current = next()
  let back = current & 0x7f
  while (current & 0x80) {
    current = next()
    back = (back + 1) * 128 + (current & 0x7f)
  }
  if (back <= 0 || back > offset) throw new GitError('Corrupt', 'a delta points outside its pack')
  return { type, size, base: { offset: offset - back }, length: at }
}

type Step =
  | { readonly kind: 'object'; readonly object: RawObject }
  | { readonly kind: 'delta'; readonly delta: Buffer; readonly base: NonNullable<EntryHeader['base']> }

interface Chain {
  readonly base: RawObject
  /** From the object asked for down to the one above the base. */
  readonly deltas: { readonly offset: number; readonly delta: Buffer }[]
}

/** One pack, read by position: its size does not matter, only that of the objects asked for. */
export class PackFile {
  readonly index: PackIndex
  readonly #handle: FileHandle
  readonly #bytes: number
  readonly #cache = new LRUCache<number, RawObject>({ maxSize: CACHE_BYTES, sizeCalculation: (object) => object.content.length + 64 })

  private constructor(index: PackIndex, handle: FileHandle, bytes: number) {
    this.index = index
    this.#handle = handle
    this.#bytes = bytes
  }

  static async open(indexFile: string): Promise<PackFile> {
    const index = parsePackIndex(indexFile, await readFile(indexFile))
    const handle = await open(indexFile.replace(/\.idx$/, '.pack'), 'r')
    return new PackFile(index, handle, (await handle.stat()).size)
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** Follows the delta chain down to its base, then builds up again; sizes are checked before memory is taken. */
  async read(start: number, maxBytes: number, readBase: ReadBase): Promise<RawObject> {
    const { base, deltas } = await this.#chain(start, maxBytes, readBase)
    let object = base
    for (const { offset, delta } of deltas.reverse()) {
      object = this.#remember(offset, { type: object.type, content: applyDelta(object.content, delta) })
    }
    checkSize(object.content.length, maxBytes)
    return object
  }

  async #chain(start: number, maxBytes: number, readBase: ReadBase): Promise<Chain> {
    const baseLimit = Math.max(maxBytes, MAX_BASE_BYTES)
    const deltas: { offset: number; delta: Buffer }[] = []
    for (let offset = start; deltas.length <= MAX_CHAIN; ) {
      const step = await this.#step(offset, deltas.length === 0 ? maxBytes : baseLimit)
      if (step.kind === 'object') return { base: step.object, deltas }
      deltas.push({ offset, delta: step.delta })
      if ('oid' in step.base) return { base: await baseOf(step.base.oid, baseLimit, readBase), deltas }
      offset = step.base.offset
    }
    throw new GitError('Corrupt', 'a delta chain is longer than git allows')
  }

  async #step(offset: number, maxBytes: number): Promise<Step> {
    const cached = this.#cache.get(offset)
    if (cached !== undefined) return { kind: 'object', object: cached }
    const { header, content } = await this.#entry(offset, { plain: maxBytes, delta: Math.max(maxBytes, MAX_BASE_BYTES) })
    if (header.base === null) return { kind: 'object', object: this.#plain(offset, header, content) }
    checkSize(deltaResultSize(content), maxBytes)
    return { kind: 'delta', delta: content, base: header.base }
  }

  #plain(offset: number, header: EntryHeader, content: Buffer): RawObject {
    const type = TYPES[header.type]
    if (type === undefined) throw new GitError('Corrupt', `a pack holds an entry of unknown type ${header.type}`)
    return this.#remember(offset, { type, content })
  }

  #remember(offset: number, object: RawObject): RawObject {
    this.#cache.set(offset, object)
    return object
  }

  async #entry(offset: number, limits: { plain: number; delta: number }): Promise<{ header: EntryHeader; content: Buffer }> {
    const first = await this.#bytesAt(offset, FIRST_READ_BYTES)
    const header = entryHeader(first, offset)
    checkSize(header.size, header.base === null ? limits.plain : limits.delta)
    const needed = header.length + deflateBound(header.size)
    const bytes = needed <= first.length ? first : await this.#bytesAt(offset, needed)
    const content = await inflateAtMost(bytes.subarray(header.length), header.size)
    if (content.length !== header.size) throw new GitError('Corrupt', 'an object is shorter than its pack says')
    return { header, content }
  }

  async #bytesAt(offset: number, wanted: number): Promise<Buffer> {
    const length = Math.min(wanted, this.#bytes - offset)
    if (length <= 0) throw new GitError('Corrupt', 'a pack is shorter than its index says')
    const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  }
}

function checkSize(size: number, maxBytes: number): void {
  if (size > maxBytes) throw new GitError('TooLarge', `an object of ${size} bytes exceeds the limit of ${maxBytes}`)
}

async function baseOf(oid: Oid, maxBytes: number, readBase: ReadBase): Promise<RawObject> {
  const base = await readBase(oid, maxBytes)
  if (base === null) throw new GitError('Corrupt', `the base ${oid} of a delta is missing`)
  return base
}
