import type { Millis, RunId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { byNumber } from './run-record.ts'

/** A run that is due because all parents succeeded in one run of the graph. */
export interface DueGraph {
  readonly graph: RunId
  readonly parents: readonly RunId[]
  readonly slot: Millis | null
  /** When the last of them ended. */
  readonly readyAt: Millis
}

export interface GraphInput {
  /** Runs of each parent. */
  readonly parents: readonly (readonly Run[])[]
  readonly own: readonly Run[]
  /** Runs of the graph whose parents had ended by then are none of its business. */
  readonly through: Millis
}

/**
 * Runs of the graph in which every parent's newest run succeeded and which this node has not followed yet. Level, not
 * edge: a parent that was run again makes another due, and nothing is lost when nobody looked for a while. Oldest first.
 */
export function dueGraphs({ parents, own, through }: GraphInput): DueGraph[] {
  const newest = parents.map(newestByGraph)
  const followed = newestByGraph(own)
  const [first, ...others] = newest
  const graphs = [...(first?.keys() ?? [])].filter((graph) => others.every((runs) => runs.has(graph)))
  return graphs
    .flatMap((graph) =>
      dueGraph(
        graph,
        newest.flatMap((runs) => runs.get(graph) ?? []),
        followed.get(graph),
      ),
    )
    .filter(({ readyAt }) => readyAt > through)
    .sort((a, b) => a.readyAt - b.readyAt || (a.graph < b.graph ? -1 : 1))
}

function newestByGraph(runs: readonly Run[]): ReadonlyMap<RunId, Run> {
  return new Map([...runs].sort(byNumber).flatMap((run) => (run.graph === null ? [] : [[run.graph, run] as const])))
}

function dueGraph(graph: RunId, parents: readonly Run[], followed: Run | undefined): DueGraph[] {
  const ids = parents.map(({ id }) => id)
  if (!parents.every(({ phase }) => phase === 'Succeeded')) return []
  if (followed !== undefined && ids.every((id) => followed.parents.includes(id))) return []
  const readyAt = Math.max(...parents.map(({ finishedAt }) => finishedAt ?? 0))
  return [{ graph, parents: ids, slot: parents[0]?.slot ?? null, readyAt }]
}
