import { order } from './problem.ts'

/** What each node waits for; edges to nodes without an entry are left out of account. */
export type Graph = ReadonlyMap<string, readonly string[]>

/** Nodes that can never start: what is left after taking away, again and again, all that wait for nothing. */
function stuck(graph: Graph): ReadonlySet<string> {
  const waiting = new Map([...graph].map(([node, edges]) => [node, edges.filter((edge) => graph.has(edge)).length]))
  const dependents = new Map<string, string[]>()
  for (const node of graph.keys()) dependents.set(node, [])
  for (const [node, edges] of graph) for (const edge of edges) dependents.get(edge)?.push(node)
  const free = [...waiting].flatMap(([node, count]) => (count === 0 ? [node] : []))
  for (let node = free.pop(); node !== undefined; node = free.pop()) {
    waiting.delete(node)
    for (const dependent of dependents.get(node) ?? []) {
      const left = (waiting.get(dependent) ?? 0) - 1
      waiting.set(dependent, left)
      if (left === 0) free.push(dependent)
    }
  }
  return new Set(waiting.keys())
}

/**
 * Cycles in linear time, no two with a common member: each node stuck waits for at least one other stuck node,
 * so following the first one must come around. Overlapping cycles show up once these are mended.
 */
export function findCycles(graph: Graph): string[][] {
  const inCycle = stuck(graph)
  const visited = new Set<string>()
  const cycles: string[][] = []
  for (const start of [...inCycle].sort(order)) {
    const steps = new Map<string, number>()
    let node: string | undefined = start
    while (node !== undefined && !visited.has(node)) {
      visited.add(node)
      steps.set(node, steps.size)
      node = graph.get(node)?.find((edge) => inCycle.has(edge))
    }
    const from = node === undefined ? undefined : steps.get(node)
    if (from !== undefined) cycles.push([...steps.keys()].slice(from))
  }
  return cycles
}
