import { compareRevisions, type Store, type StoreEvent } from '../../src/store/store.ts'

/** Everything a watch tells, in a list that grows; ends with the store. A watch that throws shows as an event nobody expects. */
export function collect(store: Store, prefix: string, from: string): StoreEvent[] {
  const seen: StoreEvent[] = []
  const watching = async () => {
    for await (const events of store.watch(prefix, { from, signal: new AbortController().signal })) seen.push(...events)
  }
  watching().catch((error: unknown) => seen.push({ type: 'put', key: 'watch threw', value: String(error), revision: '0' }))
  return seen
}

/** The batches of a watch until it has told of revision `until`. */
export async function take(store: Store, request: { prefix: string; from: string; until: string }): Promise<StoreEvent[][]> {
  const batches: StoreEvent[][] = []
  const signal = AbortSignal.timeout(10_000)
  for await (const events of store.watch(request.prefix, { from: request.from, signal })) {
    batches.push(events)
    if (compareRevisions(events.at(-1)?.revision ?? '0', request.until) >= 0) break
  }
  signal.throwIfAborted()
  return batches
}
