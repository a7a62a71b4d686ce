import { isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml'
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

/** A key as it is written: YAML reads `1.10:` as the number 1.1. */
export const keyText = (key: Scalar): string => (typeof key.value === 'string' ? key.value : (key.source ?? String(key.value)))

export type Found = { node: Node | null; key: Node | null }

/** Finds nodes by path; a list item goes by its index or its `name`. A path that leads out of what is written gives the last node on it. */
type Finder = (path: Path) => Found

const keyOf = (pair: Pair): Node | null => (isScalar(pair.key) ? pair.key : null)

const pairsByKey = (map: YAMLMap): Map<string, Pair> =>
  new Map(map.items.flatMap((pair) => (isScalar(pair.key) ? [[keyText(pair.key), pair] as const] : [])))

const itemsByName = (list: YAMLSeq): Map<unknown, Node> =>
  new Map(list.items.flatMap((item) => (isMap(item) ? [[item.get('name'), item] as const] : [])))

/** Looks a name up in an index that is made once, so that many lookups in one node stay linear. */
function lookUp<N extends object, K, V>(
  indexes: Map<N, Map<K, V>>,
  node: N,
  lookup: { make: (node: N) => Map<K, V>; key: K },
): V | undefined {
  const index = indexes.get(node) ?? lookup.make(node)
  indexes.set(node, index)
  return index.get(lookup.key)
}

export function finder(root: Node | null): Finder {
  const maps = new Map<YAMLMap, Map<string, Pair>>()
  const lists = new Map<YAMLSeq, Map<unknown, Node>>()
  const child = (node: Node | null, step: PropertyKey): Found | null => {
    if (isMap(node)) {
      const pair = lookUp(maps, node, { make: pairsByKey, key: String(step) })
      return pair === undefined ? null : { key: keyOf(pair), node: (pair.value as Node | null) ?? null }
    }
    if (!isSeq(node)) return null
    const item = typeof step === 'number' ? node.items[step] : lookUp(lists, node, { make: itemsByName, key: step })
    return item === undefined ? null : { key: null, node: item as Node }
  }
  return (path) => {
    let found: Found = { node: root, key: null }
    for (const step of path) {
      const next = child(found.node, step)
      if (next === null) return found
      found = next
    }
    return found
  }
}

/** Where to point for a value: at it when it stands on its own, else at the key or list item that holds it. */
export function offsetOf(found: Found): number {
  const points = isScalar(found.node) && found.node.range?.[0] !== found.node.range?.[1] ? found.node : (found.key ?? found.node)
  return points?.range?.[0] ?? 0
}

/** Where the key of a path is written; for a list item, the item. */
export const offsetOfKey = (found: Found): number => (found.key ?? found.node)?.range?.[0] ?? 0
