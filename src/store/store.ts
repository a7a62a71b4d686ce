import { RetryableError } from '../lib/errors.ts'

/**
 * The one interface to durable state: ordered, multi-version, watched, with fenced transactions.
 * Revisions are strings of decimal digits, because etcd's are 64-bit; compare them with `compareRevisions`.
 */
export interface Store {
  /** All items under `prefix` at one revision, paged inside. */
  list(prefix: string): Promise<Listing>
  get(key: string): Promise<Item | null>
  /**
   * Applies all of `then` if every compare and the fence hold, else none.
   * At most `MAX_OPS` operations and `MAX_TXN_BYTES`. Never throws for a conflict or a lost reply.
   * @throws TerminalError `BadTxn` for one that no store would take, StoreReadOnlyError where it is full.
   */
  txn(request: Txn): Promise<TxnResult>
  /**
   * Whole revisions in order, from `from` (inclusive, at most one after the newest). Throws `CompactedError`
   * when `from` is gone, or when the store was restored to before it: list again. Survives cuts without losing an event. Ends quietly on abort.
   */
  watch(prefix: string, options: { from: string; signal: AbortSignal }): AsyncIterable<StoreEvent[]>
  /**
   * Waits until this process leads `name`, then returns its leadership. `value` is what the key `name`
   * holds meanwhile for others to read, such as the leader's address. Rejects with the signal's reason on abort.
   */
  campaign(name: string, options: { signal: AbortSignal; value?: string }): Promise<Leadership>
  close(): Promise<void>
}

export interface Item {
  readonly key: string
  readonly value: string
  /** Revision of the last change, and of the creation, of this key. */
  readonly revision: string
  readonly createRevision: string
}

export interface Listing {
  readonly items: readonly Item[]
  readonly revision: string
}

/** `revision: '0'` means: the key does not exist. */
export interface Compare {
  readonly key: string
  readonly revision: string
}

export type Op = { readonly op: 'put'; readonly key: string; readonly value: string } | { readonly op: 'delete'; readonly key: string }

/** The leader's key and the epoch (its create revision) that must still hold. */
export interface Fence {
  readonly key: string
  readonly epoch: number
}

export interface Txn {
  readonly if: readonly Compare[]
  readonly then: readonly Op[]
  readonly fence: Fence | null
}

/** `Unknown`: the reply was lost; it may or may not have been applied. Read back to find out. */
export type TxnResult =
  | { readonly status: 'Committed'; readonly revision: string }
  | { readonly status: 'Conflict'; readonly failed: 'fence' | 'compare' }
  | { readonly status: 'Unknown'; readonly cause: unknown }

export interface StoreEvent {
  readonly type: 'put' | 'delete'
  readonly key: string
  /** Empty for a delete. */
  readonly value: string
  readonly revision: string
}

export interface Leadership {
  readonly fence: Fence
  /** Monotonic time until which this process may act; moves on with each renewal. */
  validUntil(): number
  /** Aborts when leadership is lost or given up. */
  readonly signal: AbortSignal
  resign(): Promise<void>
}

/** A store as it was opened, which can also tell how it is. */
export interface OpenedStore extends Store {
  status(): Promise<StoreStatus>
}

export interface StoreStatus {
  readonly kind: 'memory' | 'embedded' | 'etcd'
  readonly members: readonly MemberStatus[]
  /** Raised alarms, such as `NOSPACE`. */
  readonly alarms: readonly string[]
}

/** One host of an etcd cluster. */
export type MemberStatus =
  | {
      readonly host: string
      readonly answers: 'Yes'
      readonly version: string
      readonly sizeBytes: number
      readonly quotaBytes: number | null
    }
  | { readonly host: string; readonly answers: 'No'; readonly problem: string }

/** The watch cannot go on from that revision; the caller lists again. */
export class CompactedError extends Error {
  override name = 'CompactedError'
}

/** The store took nothing of the request, for want of space; the same request passes once somebody made some. */
export class StoreReadOnlyError extends RetryableError {
  override name = 'StoreReadOnlyError'
}

/** etcd's default limit. */
export const MAX_OPS = 128
/** Largest value we write; larger bodies are chunked blobs. */
export const MAX_VALUE_BYTES = 256 * 1024
/** Keys and values of one transaction together; etcd refuses requests above 1.5 MiB. */
export const MAX_TXN_BYTES = 1024 * 1024

export function compareRevisions(a: string, b: string): number {
  return a.length === b.length ? (a < b ? -1 : a > b ? 1 : 0) : a.length - b.length
}
