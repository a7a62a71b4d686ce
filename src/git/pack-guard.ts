import fs from 'node:fs'
import { inflateSync } from 'node:zlib'
import type { GitCaps } from './caps.ts'
import { GitError } from './git-backend.ts'
import { deltaResultSize } from './objects/delta.ts'
import { entryHeader } from './objects/pack-file.ts'

const HEADER_BYTES = 12
const TRAILER_BYTES = 20
const PACK_MAGIC = 0x5041434b

function inflateEntry(bytes: Buffer, size: number): { content: Buffer; used: number } {
  try {
    const options = { maxOutputLength: Math.max(1, size), info: true }
    const { buffer, engine } = inflateSync(bytes, options) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    return { content: buffer, used: engine.bytesWritten }
  } catch (cause) {
    throw new GitError('Unreachable', 'the remote sent a pack that does not inflate to the sizes it states', { cause })
  }
}

function checkSize(size: number, limit: number): void {
  if (size > limit) throw new GitError('TooLarge', `the remote sent an object of ${size} bytes, above the limit of ${limit}`)
}

/**
 * Reads through a received pack before isomorphic-git inflates it without any limit: every entry, and what every
 * delta says it makes, must be within the caps (a pack of 1 MB can hold a zip bomb of 1 GB).
 * @throws GitError `TooLarge`, or `Unreachable` for bytes that are no pack.
 */
export function checkPack(pack: Buffer, caps: Pick<GitCaps, 'packedObjectBytes' | 'inflatedBytes'>): void {
  const readable = pack.length >= HEADER_BYTES + TRAILER_BYTES && pack.readUInt32BE(0) === PACK_MAGIC && pack.readUInt32BE(4) === 2
  if (!readable) throw new GitError('Unreachable', 'the remote sent something that is not a pack')
  const end = pack.length - TRAILER_BYTES
  let at = HEADER_BYTES
  let total = 0
  for (let left = pack.readUInt32BE(8); left > 0; left--) {
    const header = entryHeader(pack.subarray(at, end), at)
    checkSize(header.size, caps.packedObjectBytes)
    const { content, used } = inflateEntry(pack.subarray(at + header.length, end), header.size)
    const result = header.base === null ? header.size : deltaResultSize(content)
    checkSize(result, caps.packedObjectBytes)
    total += result
    if (total > caps.inflatedBytes) throw new GitError('TooLarge', `the remote sent more than ${caps.inflatedBytes} bytes of objects`)
    at += header.length + used
  }
}

/** A file system for isomorphic-git that lets no unchecked pack reach the disk. */
export function guardedFs(caps: GitCaps): { promises: typeof fs.promises } {
  const writeFile: typeof fs.promises.writeFile = async (file, data, options) => {
    if (typeof file === 'string' && file.endsWith('.pack') && Buffer.isBuffer(data)) checkPack(data, caps)
    await fs.promises.writeFile(file, data, options)
  }
  return { promises: { ...fs.promises, writeFile } }
}
