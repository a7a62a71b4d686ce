import type { RunView, WorkloadView } from '../model/views.ts'
import { newestFirst, runName, troubleOf } from './runs.ts'

/** Runs that began with one another, as a graph of CronJobs. Nothing here reads or writes. */

/** Of its newest run; without one: it will start by itself, somebody must help first, or it never will in this graph. */
type NodePhase = RunView['phase'] | 'Waiting' | 'Blocked' | 'Skipped'

export interface GraphNode {
  /** Of the CronJob. */
  readonly name: string
  readonly phase: NodePhase
  readonly run: RunView | null
  /** How often it ran in this graph. */
  readonly times: number
  /** CronJobs of this graph that it starts after. */
  readonly parents: readonly string[]
  /** What the phase does not say, in a few words. */
  readonly about: string
}

export interface RunGraph {
  /** The run that it began with. */
  readonly id: string
  readonly namespace: string
  readonly app: string
  /** Null once its record is gone. */
  readonly root: RunView | null
  /** Parents come before what starts after them, else by name. */
  readonly nodes: readonly GraphNode[]
}

export interface Known {
  readonly runs: readonly RunView[]
  readonly workloads: readonly WorkloadView[]
}

/** Of each CronJob that others start after, the graph that it began last. */
export function newestGraphs(known: Known): RunGraph[] {
  const roots = known.runs.filter((run) => run.id === run.graph).sort(newestFirst)
  const newest = new Map(roots.toReversed().map((run) => [`${run.namespace}/${run.job}`, run]))
  return [...newest.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, run]) => graphOf(run.id, known))
    .filter(({ nodes }) => nodes.length > 1)
}

/** The graph that began with a run, as far as it came, and what is still to come. */
export function graphOf(id: string, known: Known): RunGraph {
  const runs = known.runs.filter(({ graph }) => graph === id).sort(newestFirst)
  const root = runs.find((run) => run.id === id) ?? null
  const { namespace = '', app = '' } = runs[0] ?? {}
  const crons = new Map(
    known.workloads.filter((view) => view.namespace === namespace && view.kind === 'CronJob').map((view) => [view.name, view]),
  )
  const names = membersOf(runs, crons)
  const parents = new Map([...names].map((name) => [name, parentsOf(name, { runs, crons, names })]))
  const nodes = new Map<string, GraphNode>()
  for (const [name, of] of inOrder(parents))
    nodes.set(name, nodeOf(name, { runs, view: crons.get(name), parents: of.flatMap((one) => nodes.get(one) ?? []) }))
  return { id, namespace, app, root, nodes: [...nodes.values()] }
}

/** What ran in it, and what is to run once all that it starts after has. */
function membersOf(runs: readonly RunView[], crons: ReadonlyMap<string, WorkloadView>): ReadonlySet<string> {
  const names = new Set(runs.map(({ job }) => job))
  for (let before = -1; before < names.size; ) {
    before = names.size
    for (const [name, { schedule }] of crons) {
      const after = schedule?.after ?? []
      if (after.length > 0 && after.every((parent) => names.has(parent))) names.add(name)
    }
  }
  return names
}

interface Members {
  readonly runs: readonly RunView[]
  readonly crons: ReadonlyMap<string, WorkloadView>
  readonly names: ReadonlySet<string>
}

/** As git says now; where that says nothing of this graph, as it was when it ran. */
function parentsOf(name: string, { runs, crons, names }: Members): string[] {
  const now = (crons.get(name)?.schedule?.after ?? []).filter((parent) => names.has(parent))
  const ids = new Set(runs.find(({ job }) => job === name)?.parents)
  const then = runs.filter(({ id }) => ids.has(id)).map(({ job }) => job)
  return [...new Set(now.length > 0 ? now : then)].sort()
}

/** Each behind its parents; edges of different times might make a circle, which is cut at the first name. */
function inOrder(parents: ReadonlyMap<string, readonly string[]>): [string, readonly string[]][] {
  const placed = new Map<string, readonly string[]>()
  const left = [...parents.keys()].sort()
  while (placed.size < parents.size) {
    const open = left.filter((name) => !placed.has(name))
    const ready = open.filter((name) => (parents.get(name) ?? []).every((parent) => placed.has(parent)))
    const next = ready.length > 0 ? ready : open.slice(0, 1)
    const known = new Set(placed.keys())
    for (const name of next)
      placed.set(
        name,
        (parents.get(name) ?? []).filter((parent) => known.has(parent)),
      )
  }
  return [...placed]
}

interface Around {
  readonly runs: readonly RunView[]
  readonly view: WorkloadView | undefined
  readonly parents: readonly GraphNode[]
}

function nodeOf(name: string, { runs, view, parents }: Around): GraphNode {
  const own = runs.filter(({ job }) => job === name)
  const run = own[0] ?? null
  const standing = run === null ? standingOf(view, parents) : { phase: run.phase, about: aboutRun(run, parents) }
  return { name, ...standing, run, times: own.length, parents: parents.map((parent) => parent.name) }
}

/** A parent that was run again since makes this one due once more. */
function aboutRun(run: RunView, parents: readonly GraphNode[]): string {
  const since = run.graph === run.id ? [] : parents.filter(({ run: of }) => of !== null && !run.parents.includes(of.id))
  const trouble = troubleOf(run)
  return [...(trouble === '' ? [] : [trouble]), ...(since.length === 0 ? [] : [`${namesOf(since)} ran again since`])].join('; ')
}

type Standing = Pick<GraphNode, 'phase' | 'about'>

/** Why a node has not run, the nearest cause first. */
function standingOf(view: WorkloadView | undefined, parents: readonly GraphNode[]): Standing {
  const failed = parents.filter(({ phase }) => phase === 'Failed')
  if (failed.length > 0) return { phase: 'Blocked', about: `waits for ${namesOf(failed)}, which failed` }
  const open = parents.filter(({ phase }) => phase !== 'Succeeded')
  const stuck = open.filter(({ phase }) => phase === 'Blocked' || phase === 'Skipped')
  if (open.length > 0)
    return { phase: stuck.length > 0 ? 'Blocked' : 'Waiting', about: `waits for ${namesOf(stuck.length > 0 ? stuck : open)}` }
  return view?.schedule == null ? { phase: 'Skipped', about: 'it is not there any more' } : ownStanding(view, view.schedule, parents)
}

/** All that it starts after has succeeded. */
function ownStanding({ reasons }: WorkloadView, schedule: NonNullable<WorkloadView['schedule']>, parents: readonly GraphNode[]): Standing {
  const { suspend, through, active, concurrencyPolicy } = schedule
  const ended =
    parents
      .map(({ run }) => run?.finishedAt ?? '')
      .sort()
      .at(-1) ?? ''
  if (through !== null && ended <= through) return { phase: 'Skipped', about: 'was not wanted then, or its record is gone' }
  if (suspend) return { phase: 'Blocked', about: 'it is suspended' }
  if (concurrencyPolicy === 'Forbid' && active[0] !== undefined) return { phase: 'Waiting', about: `waits for run/${active[0]} to end` }
  const dependency = reasons.find(({ code }) => code === 'DependencyNotReady')
  return { phase: 'Waiting', about: dependency?.message ?? 'is about to start' }
}

const TOLD = 3

/** `b, c and 4 more`. */
export function namesOf(items: readonly { readonly name: string }[]): string {
  const names = items.slice(0, TOLD).map(({ name }) => name)
  return items.length > TOLD ? `${names.join(', ')} and ${items.length - TOLD} more` : names.join(', ')
}

/** Of the whole: what failed or is stuck counts before what goes on. */
export function phaseOf({ nodes }: RunGraph): 'Failed' | 'Running' | 'Succeeded' {
  const phases = new Set(nodes.map(({ phase }) => phase))
  if (phases.has('Failed') || phases.has('Blocked')) return 'Failed'
  return phases.has('Pending') || phases.has('Running') || phases.has('Waiting') || phases.has('Suspended') ? 'Running' : 'Succeeded'
}

/** Runs that failed last, and which a person may run again. */
export const failedRuns = ({ nodes }: RunGraph): RunView[] => nodes.flatMap(({ run }) => (run?.phase === 'Failed' ? [run] : []))

/** What runs one of them again. */
export const againCommand = (run: RunView): string => `drover run ${runName(run)}`
