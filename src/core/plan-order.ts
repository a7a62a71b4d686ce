import type { WorkloadKey } from '../model/ids.ts'
import type { PlanAction } from './plan-changes.ts'

interface Ordered {
  readonly key: WorkloadKey
  readonly action: PlanAction
  readonly dependsOn: readonly WorkloadKey[]
}

type Edges = ReadonlyMap<WorkloadKey, readonly WorkloadKey[]>

/** Of an atomic app removals wait until the rest is well; else they begin at once. */
export type Removals = 'Last' | 'AtOnce'

/**
 * Changed workloads in waves: each waits for what it depends on of the waves before. What does not change is there already.
 * Of what is removed, whoever depends on another goes before it.
 */
export function planOrder(changes: readonly Ordered[], removals: Removals): WorkloadKey[][] {
  const removed = waves(reversed(edgesOf(changes.filter(({ action }) => action === 'delete'))))
  const changed = waves(edgesOf(changes.filter(({ action }) => action !== 'delete' && action !== 'none')))
  if (removals === 'Last') return [...changed, ...removed]
  const count = Math.max(changed.length, removed.length)
  return Array.from({ length: count }, (_, wave) => [...(changed[wave] ?? []), ...(removed[wave] ?? [])])
}

function edgesOf(changes: readonly Ordered[]): Edges {
  const keys = new Set(changes.map(({ key }) => key))
  return new Map(changes.map(({ key, dependsOn }) => [key, dependsOn.filter((target) => keys.has(target))]))
}

function reversed(edges: Edges): Edges {
  const back = new Map<WorkloadKey, WorkloadKey[]>([...edges.keys()].map((key) => [key, []]))
  for (const [key, targets] of edges) for (const target of targets) back.get(target)?.push(key)
  return back
}

/** Removals may stem from several revisions and so go in a circle: such are one wave, for none of them is first. */
function waves(edges: Edges): WorkloadKey[][] {
  const left = new Map(edges)
  const found: WorkloadKey[][] = []
  while (left.size > 0) {
    const free = [...left].flatMap(([key, targets]) => (targets.some((target) => left.has(target)) ? [] : [key]))
    const wave = free.length > 0 ? free : [...left.keys()]
    for (const key of wave) left.delete(key)
    found.push(wave)
  }
  return found
}
