/**
 * Run by a test, killed by it: opens the store in the given directory, leads, and writes for ever.
 * Prints `epoch REVISION`, then `NUMBER REVISION` for each write after it was acknowledged; numbers go on across runs.
 */
import { must } from '../../src/lib/must.ts'
import { openEmbeddedStore } from '../../src/store/embedded.ts'

const store = await openEmbeddedStore({ dataDir: must(process.argv[2], 'a directory') })
const leadership = await store.campaign('leader', { signal: new AbortController().signal })
process.stdout.write(`epoch ${leadership.fence.epoch}\n`)
let number = Number((await store.get('count/all'))?.value ?? 0)

async function write(): Promise<void> {
  number += 1
  const mine = number
  const value = String(mine)
  const keys = ['pair/left', 'count/all', 'pair/right', `write/${value}`]
  const then = keys.map((key) => ({ op: 'put' as const, key, value }))
  const result = await store.txn({
    if: [],
    then: [...then, { op: 'put', key: 'filler', value: 'x'.repeat(mine % 50_000) }],
    fence: leadership.fence,
  })
  if (result.status !== 'Committed') throw new Error(`not committed: ${JSON.stringify(result)}`)
  process.stdout.write(`${value} ${result.revision}\n`)
}

for (;;) await Promise.all([write(), write(), write()])
