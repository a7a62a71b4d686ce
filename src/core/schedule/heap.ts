/** Binary min-heap of (key, item), both numbers; equal keys come in the order of the item. */
export interface Heap {
  readonly keys: number[]
  readonly items: number[]
}

export interface Entry {
  readonly key: number
  readonly item: number
}

/** Builds a heap in linear time from as many keys as items; it keeps both arrays. */
export function heapOf(items: number[], keys: number[]): Heap {
  const heap: Heap = { keys, items }
  for (let at = (items.length >> 1) - 1; at >= 0; at--) sink(heap, at)
  return heap
}

export function push(heap: Heap, key: number, item: number): void {
  let at = heap.keys.length
  heap.keys.push(key)
  heap.items.push(item)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!precedes(heap, at, parent)) return
    swap(heap, at, parent)
    at = parent
  }
}

export function pop(heap: Heap): Entry | undefined {
  const key = heap.keys[0]
  const item = heap.items[0]
  const lastKey = heap.keys.pop()
  const lastItem = heap.items.pop()
  if (key === undefined || item === undefined || lastKey === undefined || lastItem === undefined) return undefined
  if (heap.keys.length > 0) {
    heap.keys[0] = lastKey
    heap.items[0] = lastItem
    sink(heap, 0)
  }
  return { key, item }
}

function sink(heap: Heap, from: number): void {
  const size = heap.keys.length
  for (let at = from; ; ) {
    const left = 2 * at + 1
    let least = at
    if (left < size && precedes(heap, left, least)) least = left
    if (left + 1 < size && precedes(heap, left + 1, least)) least = left + 1
    if (least === at) return
    swap(heap, at, least)
    at = least
  }
}

/** Positions below the size are always filled, so the casts only undo `noUncheckedIndexedAccess`. */
function precedes(heap: Heap, a: number, b: number): boolean {
  const keyA = heap.keys[a] as number
  const keyB = heap.keys[b] as number
  return keyA < keyB || (keyA === keyB && (heap.items[a] as number) < (heap.items[b] as number))
}

function swap(heap: Heap, a: number, b: number): void {
  const { keys, items } = heap
  const key = keys[a] as number
  const item = items[a] as number
  keys[a] = keys[b] as number
  items[a] = items[b] as number
  keys[b] = key
  items[b] = item
}
