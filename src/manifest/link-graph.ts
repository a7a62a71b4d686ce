import { order, type Place } from './problem.ts'

/** A CronJob and those that it starts after, by name in its namespace, with the place where it says so. */
export type GraphNode = { name: string; after: readonly { name: string; at: Place }[] }

/** A parent whose runs never meet those of the parents before it. */
export type Mismatch = { node: string; at: Place; roots: readonly [string, string] }

/** With what schedule each begins, through its first parent; null: nobody can tell before other mistakes are mended. */
function rootsOf(nodes: ReadonlyMap<string, GraphNode>): ReadonlyMap<string, string | null> {
  const roots = new Map<string, string | null>()
  for (const start of nodes.keys()) {
    const way = new Set<string>()
    let at = start
    while (nodes.has(at) && !roots.has(at) && !way.has(at)) {
      way.add(at)
      const parent = nodes.get(at)?.after[0]
      if (parent === undefined) roots.set(at, at)
      else at = parent.name
    }
    const root = roots.get(at) ?? null
    for (const name of way) roots.set(name, root)
  }
  return roots
}

/**
 * Parents that begin at different schedules: no run of one would belong to a run of the other, so a run after both could
 * not be told. A parent that is missing, broken or in a circle is told elsewhere, and here nothing is said of what comes after it.
 */
export function mismatchedParents(nodes: readonly GraphNode[]): Mismatch[] {
  const roots = rootsOf(new Map(nodes.map((node) => [node.name, node])))
  return [...nodes].sort((a, b) => order(a.name, b.name)).flatMap(({ name: node, after }) => mismatch(node, after, roots))
}

function mismatch(node: string, after: GraphNode['after'], roots: ReadonlyMap<string, string | null>): Mismatch[] {
  const known = after.flatMap(({ name, at }) => {
    const root = roots.get(name) ?? null
    return root === null ? [] : [{ root, at }]
  })
  const other = known.find(({ root }) => root !== known[0]?.root)
  return known[0] === undefined || other === undefined ? [] : [{ node, at: other.at, roots: [known[0].root, other.root] }]
}
