import type { Millis, RunId } from '../../model/ids.ts'
import type { CronState, Run, WorkloadRecord } from '../../model/records.ts'
import { byNumber, freeRunId, runBase } from './run-record.ts'
import { stampOf } from './stamp.ts'

/** A run that is due because all parents succeeded in one run of the graph. */
export interface DueGraph {
  readonly graph: RunId
  readonly parents: readonly RunId[]
  readonly slot: Millis | null
  /** When the last of them ended. */
  readonly readyAt: Millis
  /** The sum of the parents' numbers, which grows whenever one of them runs again. */
  readonly numbers: number
}

export interface GraphInput {
  /** Runs of each parent. */
  readonly parents: readonly (readonly Run[])[]
  readonly own: readonly Run[]
  /** Runs of the graph that are none of this node's business, in the state that they were passed over in. */
  readonly passed: CronState['passed']
}

/**
 * Runs of the graph in which every parent's newest run succeeded and which this node has not followed yet. Level, not
 * edge: a parent that was run again makes another due, and nothing is lost when nobody looked for a while. Oldest first.
 * By runs and never by the clock, which may jump.
 */
export function dueGraphs({ parents, own, passed }: GraphInput): DueGraph[] {
  const newest = parents.map(newestByGraph)
  const [first, ...others] = newest
  const graphs = [...(first?.keys() ?? [])].filter((graph) => others.every((runs) => runs.has(graph)))
  return graphs
    .flatMap((graph) => {
      const runs = newest.flatMap((all) => all.get(graph) ?? [])
      return dueGraph(graph, runs, own)
    })
    .filter(({ graph, numbers }) => (passed[graph] ?? 0) < numbers)
    .sort((a, b) => a.readyAt - b.readyAt || (a.graph < b.graph ? -1 : 1))
}

interface Node {
  readonly record: WorkloadRecord
  /** Those that have a name already. */
  readonly runs: readonly Pick<Run, 'id'>[]
}

/** Of a run in a graph: after the slot that the graph began with; without one, after the person's word that it did. */
export function nodeRunId({ record, runs }: Node, { graph, slot }: Pick<DueGraph, 'graph' | 'slot'>): RunId {
  const word = graph.slice(Math.max(0, graph.lastIndexOf(MANUAL)))
  return freeRunId(runBase(record, slot === null ? word : stampOf(slot)), runs)
}

/** Of a run that a person's word begins a graph with. */
export function manualRunId({ record, runs }: Node, number: number): RunId {
  return freeRunId(runBase(record, `${MANUAL}${number}`), runs)
}

const MANUAL = 'manual-'

function newestByGraph(runs: readonly Run[]): ReadonlyMap<RunId, Run> {
  return new Map([...runs].sort(byNumber).flatMap((run) => (run.graph === null ? [] : [[run.graph, run] as const])))
}

function dueGraph(graph: RunId, parents: readonly Run[], own: readonly Run[]): DueGraph[] {
  const ids = parents.map(({ id }) => id)
  if (!parents.every(({ phase }) => phase === 'Succeeded')) return []
  // Not the newest alone: a node that came after others meanwhile is not to follow the same again when it comes back.
  if (own.some((run) => run.graph === graph && ids.every((id) => run.parents.includes(id)))) return []
  const readyAt = Math.max(...parents.map(({ finishedAt }) => finishedAt ?? 0))
  const numbers = parents.reduce((sum, { number }) => sum + number, 0)
  return [{ graph, parents: ids, slot: parents[0]?.slot ?? null, readyAt, numbers }]
}

/** Of graphs that no parent knows any more nothing can become due. */
export function ofKnownGraphs(passed: CronState['passed'], parents: GraphInput['parents']): CronState['passed'] {
  const known = new Set<string | null>(parents.flatMap((runs) => runs.map(({ graph }) => graph)))
  return Object.fromEntries(Object.entries(passed).filter(([graph]) => known.has(graph)))
}
