import type { ICompare, IRequestOp, ITxnRequest, ITxnResponse } from 'etcd3'
import { TerminalError } from '../../lib/errors.ts'
import { checkTxn } from '../limits.ts'
import { type Op, StoreReadOnlyError, type Txn, type TxnResult } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { isDefinite, isExhausted } from './errors.ts'

/** Numbers of etcd's protocol. */
const EQUAL = 0
const TARGET_CREATE = 1
const TARGET_MOD = 2

export const createdAt = (fullKey: string, revision: string): ICompare => ({
  key: Buffer.from(fullKey),
  target: TARGET_CREATE,
  result: EQUAL,
  create_revision: revision,
})

const changedAt = (fullKey: string, revision: string): ICompare => ({
  key: Buffer.from(fullKey),
  target: TARGET_MOD,
  result: EQUAL,
  mod_revision: revision,
})

/** Sends it once; see `Store.txn`. */
export async function runTxn(client: EtcdClient, root: string, request: Txn): Promise<TxnResult> {
  checkTxn(request)
  const outcome = await sendTxn(client, encode(root, request))
  if (outcome.status === 'Unknown') return outcome
  const { response } = outcome
  if (response.succeeded) return { status: 'Committed', revision: response.header.revision }
  return { status: 'Conflict', failed: fenceHolds(response, request) ? 'compare' : 'fence' }
}

export type Sent =
  | { readonly status: 'Answered'; readonly response: ITxnResponse }
  | { readonly status: 'Unknown'; readonly cause: unknown }

const FULL = 'etcd takes no writes, it is out of space: compact and defragment it, or raise its quota, then `etcdctl alarm disarm`'

/** @throws StoreReadOnlyError, or what etcd said, when it refused and so did nothing; TerminalError `StoreReplaced`. */
export async function sendTxn(client: EtcdClient, request: ITxnRequest): Promise<Sent> {
  try {
    return { status: 'Answered', response: await client.onceWitnessed(({ kv }, options) => kv.txn(request, options)) }
  } catch (cause) {
    if (cause instanceof TerminalError) throw cause
    if (!isDefinite(cause)) return { status: 'Unknown', cause }
    throw isExhausted(cause) ? new StoreReadOnlyError(FULL, { cause }) : cause
  }
}

function encode(root: string, { if: compares, then: ops, fence }: Txn): ITxnRequest {
  const compare = compares.map(({ key, revision }) => changedAt(root + key, revision))
  const success = ops.map((op) => encodeOp(root, op))
  if (fence === null) return { compare, success }
  const failure = [{ request_range: { key: Buffer.from(root + fence.key) } }]
  return { compare: [createdAt(root + fence.key, String(fence.epoch)), ...compare], success, failure }
}

function encodeOp(root: string, op: Op): IRequestOp {
  const key = Buffer.from(root + op.key)
  return op.op === 'put' ? { request_put: { key, value: Buffer.from(op.value) } } : { request_delete_range: { key } }
}

/** A refused transaction reads the leader's key at the very revision of its refusal. */
function fenceHolds(response: ITxnResponse, { fence }: Txn): boolean {
  const leader = response.responses[0]?.response_range?.kvs[0]
  return fence === null || leader?.create_revision === String(fence.epoch)
}
