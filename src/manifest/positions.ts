import { isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap } from 'yaml'
import type { Place } from './problem.ts'

export type Path = readonly PropertyKey[]
export type LineTable = (offset: number) => Place

/** Turns offsets into lines and columns in logarithmic time. */
export function lineTable(text: string): LineTable {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

export type Found = { node: Node | null; key: Node | null }

/** A key as it is written: YAML reads `1.10:` as the number 1.1. */
export const keyText = (key: Scalar): string => (typeof key.value === 'string' ? key.value : (key.source ?? String(key.value)))

const keyOf = (pair: Pair): Node | null => (isScalar(pair.key) ? pair.key : null)
const findPair = (map: YAMLMap, name: PropertyKey): Pair | undefined =>
  map.items.find((pair) => isScalar(pair.key) && keyText(pair.key) === String(name))

function child(node: Node | null, step: PropertyKey): Found | null {
  if (isMap(node)) {
    const pair = findPair(node, step)
    return pair === undefined ? null : { key: keyOf(pair), node: (pair.value as Node | null) ?? null }
  }
  if (!isSeq(node)) return null
  const item = typeof step === 'number' ? node.items[step] : node.items.find((entry) => isMap(entry) && entry.get('name') === step)
  return item === undefined ? null : { key: null, node: item as Node }
}

/** The node at a path, where a list item goes by its index or its `name`; `complete` is false when the path leads out of what is written, and the last node on it is given. */
export function find(root: Node | null, path: Path): Found & { complete: boolean } {
  let found: Found = { node: root, key: null }
  for (const step of path) {
    const next = child(found.node, step)
    if (next === null) return { ...found, complete: false }
    found = next
  }
  return { ...found, complete: true }
}

/** Where to point for a value: at it when it stands on its own, else at the key or list item that holds it. */
export function offsetOf(found: Found): number {
  const points = isScalar(found.node) && found.node.range?.[0] !== found.node.range?.[1] ? found.node : (found.key ?? found.node)
  return points?.range?.[0] ?? 0
}

/** Where the key of a path is written; for a list item, the item. */
export const offsetOfKey = (found: Found): number => (found.key ?? found.node)?.range?.[0] ?? 0
