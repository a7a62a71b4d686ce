import { order, type Place } from './problem.ts'

/** A CronJob and those that it starts after, by name in its namespace, with the place where it says so. */
export type GraphNode = { name: string; after: readonly { name: string; at: Place }[] }

/** A parent whose runs never meet those of the parents before it. */
export type Mismatch = { node: string; at: Place; roots: readonly [string, string] }

/**
 * Parents that begin at different schedules: no run of one would belong to a run of the other, so a run after both could
 * not be told. `nodes` hold no circle; a parent that is not among them is told elsewhere.
 */
export function mismatchedParents(nodes: readonly GraphNode[]): Mismatch[] {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const roots = new Map<string, string>()
  const rootOf = (name: string): string => {
    const known = roots.get(name)
    if (known !== undefined) return known
    const first = byName.get(name)?.after[0]
    const root = first === undefined ? name : rootOf(first.name)
    roots.set(name, root)
    return root
  }
  return [...nodes]
    .sort((a, b) => order(a.name, b.name))
    .flatMap(({ name: node, after: [first, ...others] }) => {
      if (first === undefined) return []
      const root = rootOf(first.name)
      const other = others.find(({ name }) => rootOf(name) !== root)
      return other === undefined ? [] : [{ node, at: other.at, roots: [root, rootOf(other.name)] }]
    })
}
