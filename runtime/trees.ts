import type { Oid } from '../src/model/ids.ts'

export type FetchTree = (tree: Oid, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>

interface EnsureOptions {
  readonly fetch: FetchTree
  readonly signal: AbortSignal
}

/** Git trees on this machine, by oid: read-only folders, shared by tasks. */
export interface TreeCache {
  /** The folder of that tree, fetched if it is not there; at once for all who ask at the same time. @throws RetryableError */
  ensure(tree: Oid, options: EnsureOptions): Promise<string>
  /** These are in use; of the others only the most recently used few are kept. */
  retain(trees: ReadonlySet<Oid>): Promise<void>
}

/** For the simulator: fetches, but keeps no files. The path exists only as a name. */
export function createMemoryTreeCache(): TreeCache {
  const present = new Set<Oid>()
  return {
    async ensure(tree, { fetch, signal }) {
      if (!present.has(tree)) {
        for await (const _chunk of await fetch(tree, signal)) signal.throwIfAborted()
        present.add(tree)
      }
      return `/trees/${tree}`
    },
    async retain(trees) {
      for (const tree of present) if (!trees.has(tree)) present.delete(tree)
    },
  }
}
