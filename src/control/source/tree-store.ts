import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nullOn } from '../../lib/errors.ts'
import type { Oid } from '../../model/ids.ts'

/** Packed trees by oid, kept by the control plane so that tasks can be shipped while git is away. */
export interface TreeStore {
  has(tree: Oid): Promise<'Yes' | 'No'>
  /** While the same tree is being written, `packed` is not read: equal ids have equal content. */
  put(tree: Oid, packed: AsyncIterable<Uint8Array>): Promise<void>
  /** Null when it was never put. */
  open(tree: Oid): Promise<AsyncIterable<Uint8Array> | null>
}

/** One file a tree; a half-written one is never seen, for it gets its name by rename. */
export function createFileTreeStore(directory: string): TreeStore {
  const fileOf = (tree: Oid) => join(directory, `${tree}.pack`)
  const exists = async (tree: Oid) => (await stat(fileOf(tree)).catch(nullOn('ENOENT'))) !== null
  const put = async (tree: Oid, packed: AsyncIterable<Uint8Array>) => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const draft = `${fileOf(tree)}.tmp`
    try {
      await write(draft, packed)
      await rename(draft, fileOf(tree))
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }
  /** Several agents may ask for one tree at once: it is written once, and all wait for that. */
  const writing = new Map<Oid, Promise<void>>()
  return {
    has: async (tree) => ((await exists(tree)) ? 'Yes' : 'No'),
    put(tree, packed) {
      const written = writing.get(tree) ?? put(tree, packed).finally(() => writing.delete(tree))
      writing.set(tree, written)
      return written
    },
    open: async (tree) => ((await exists(tree)) ? createReadStream(fileOf(tree)) : null),
  }
}

async function write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    for await (const chunk of chunks) await file.write(chunk)
    await file.sync()
  } finally {
    await file.close()
  }
}
