import type { Op, Txn } from './store.ts'

/** The newest version of one key. Revisions are numbers inside our own stores, strings at the `Store` interface. */
export interface Entry {
  readonly value: string
  readonly revision: number
  readonly createRevision: number
}

/** What one revision changed; null is a delete. */
export interface Commit {
  readonly revision: number
  readonly changes: ReadonlyMap<string, Entry | null>
}

export type Lookup = (key: string) => Entry | undefined

export type Verdict = { readonly status: 'Conflict'; readonly failed: 'fence' | 'compare' } | { readonly status: 'Holds'; commit: Commit }

/** Decides a transaction as etcd would: fence, compares, then all operations at one revision. Changes nothing. */
export function evaluateTxn(request: Txn, lookup: Lookup, revision: number): Verdict {
  const { fence } = request
  if (fence !== null && lookup(fence.key)?.createRevision !== fence.epoch) return { status: 'Conflict', failed: 'fence' }
  const stale = request.if.some((compare) => String(lookup(compare.key)?.revision ?? 0) !== compare.revision)
  if (stale) return { status: 'Conflict', failed: 'compare' }
  const effective = request.then.filter((op) => op.op === 'put' || lookup(op.key) !== undefined)
  const changes = new Map(effective.map((op) => [op.key, nextEntry(op, lookup(op.key), revision)]))
  return { status: 'Holds', commit: { revision, changes } }
}

function nextEntry(op: Op, old: Entry | undefined, revision: number): Entry | null {
  return op.op === 'delete' ? null : { value: op.value, revision, createRevision: old?.createRevision ?? revision }
}
