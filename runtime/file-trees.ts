import type { FolderLimits } from '../src/lib/folder-writer.ts'
import { unpackTree } from '../src/lib/tree-pack.ts'
import { Oid } from '../src/model/ids.ts'
import { createFileCache } from './file-cache.ts'
import type { TreeCache } from './trees.ts'

const LIMITS: FolderLimits = { maxBytes: 2 ** 30, maxFiles: 100_000 }

/** One folder a tree under `directory`, named by its oid, so equal content is there once and needs no check. */
export function createFileTreeCache(directory: string): TreeCache {
  const cache = createFileCache(directory, (name) => Oid.safeParse(name).success)
  return {
    ensure(tree, { fetch, signal }) {
      const fill = async (draft: string, until: AbortSignal) => unpackTree(await fetch(tree, until), draft, LIMITS)
      return cache.ensure({ name: tree, origin: 'control plane', fill }, signal)
    },
    retain: (trees) => cache.retain(trees),
  }
}
