import { TerminalError } from '../lib/errors.ts'
import { MAX_OPS, MAX_TXN_BYTES, MAX_VALUE_BYTES, type Op, type Txn } from './store.ts'

/** Printable ASCII, so that every store sorts keys alike. */
const KEY_PATTERN = /^[\x21-\x7e]{1,1024}$/

const bytesOf = (op: Op): number => op.key.length + (op.op === 'put' ? Buffer.byteLength(op.value) : 0)

/**
 * Refuses in every store what etcd would refuse, so the simulator finds it first.
 * @throws TerminalError `BadTxn`.
 */
export function checkTxn(request: Txn): void {
  const problem = problemOf(request)
  if (problem !== null) throw new TerminalError('BadTxn', problem)
}

function problemOf({ if: compares, then: ops, fence }: Txn): string | null {
  const compareCount = compares.length + (fence === null ? 0 : 1)
  if (Math.max(ops.length, compareCount) > MAX_OPS) return `more than ${MAX_OPS} operations or compares in a transaction`
  if (new Set(ops.map((op) => op.key)).size < ops.length) return 'one key twice in a transaction'
  const badKey = [...compares, ...ops].find(({ key }) => !KEY_PATTERN.test(key))
  if (badKey !== undefined) return `not a key: ${JSON.stringify(badKey.key.slice(0, 100))}`
  return sizeProblem(ops)
}

function sizeProblem(ops: readonly Op[]): string | null {
  const large = ops.find((op) => op.op === 'put' && Buffer.byteLength(op.value) > MAX_VALUE_BYTES)
  if (large !== undefined) return `value of ${large.key} is larger than ${MAX_VALUE_BYTES} bytes`
  const total = ops.reduce((sum, op) => sum + bytesOf(op), 0)
  return total > MAX_TXN_BYTES ? `transaction of ${total} bytes is larger than ${MAX_TXN_BYTES}` : null
}

/** Left free in each group for small operations that a caller adds, such as a marker. */
const SPARE_BYTES = 64 * 1024

/** Splits operations, in order, into groups that each fit one transaction, with at most `mostOps` each; atomic only group by group. */
export function groupOps(ops: readonly Op[], mostOps: number = MAX_OPS): Op[][] {
  const groups: Op[][] = []
  let bytes = 0
  for (const op of ops) {
    const last = groups.at(-1)
    bytes += bytesOf(op)
    if (last !== undefined && last.length < mostOps && bytes <= MAX_TXN_BYTES - SPARE_BYTES) last.push(op)
    else {
      groups.push([op])
      bytes = bytesOf(op)
    }
  }
  return groups
}
