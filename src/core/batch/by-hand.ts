import type { CronJobSpec, JobSpec } from '../../model/batch.ts'
import { type Millis, parseWorkloadKey, type RunId } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import type { WorkloadState } from '../workload.ts'
import { manualRunId, nodeRunId } from './cron-graph.ts'
import { nextRunId } from './job.ts'
import { byNumber, newRun, nextNumber } from './run-record.ts'

/** What comes of a person's wish that something runs now. */
export type ByHand =
  /** To be recorded: it waits for dependencies and machines as any run does. */
  { readonly is: 'Run'; readonly run: Run } | { readonly is: 'Refused'; readonly why: string }

export interface Wish {
  readonly actor: string
  readonly now: Millis
}

/** A run of a Job or a CronJob now. A suspended CronJob may be run too: only its slots are not wanted. */
export function manualRun(state: WorkloadState, wish: Wish): ByHand {
  const { version, record } = state
  if (!record.wanted) return refused(`${nameOf(state)} is being removed`)
  switch (version.kind) {
    case 'Deployment':
      return refused(`${nameOf(state)} runs all the time: only Jobs and CronJobs have runs`)
    case 'Job':
      return jobRun(state, version.spec, { ...wish, trigger: 'Manual' })
    case 'CronJob':
      return inTheWay(state, version.spec) ?? beginGraph(state, wish)
    default:
      return version satisfies never
  }
}

/** The same again with what git says now: of a Job its run, of a CronJob this node of the graph, and then what comes after it. */
export function rerun(state: WorkloadState, of: Run, wish: Wish): ByHand {
  const { version, record } = state
  if (!record.wanted) return refused(`${nameOf(state)} is being removed`)
  switch (version.kind) {
    case 'Deployment':
      return refused(`${nameOf(state)} is no Job by now`)
    case 'Job':
      if (of.templateDigest === record.templateDigest) return jobRun(state, version.spec, { ...wish, trigger: 'Rerun' })
      return refused(`run/${of.id} ran an earlier version of ${nameOf(state)}: \`drover run ${nameOf(state)}\` runs the present one`)
    case 'CronJob':
      return nodeInTheWay(state, of) ?? inTheWay(state, version.spec) ?? repeatNode(state, of, wish)
    default:
      return version satisfies never
  }
}

const refused = (why: string): ByHand => ({ is: 'Refused', why })
const isOpen = ({ finishedAt }: Run): boolean => finishedAt === null

function nameOf({ record }: WorkloadState): string {
  const { kind, name } = parseWorkloadKey(record.key)
  return `${kind.toLowerCase()}/${name}`
}

/** It then is the newest run of the present template, which answers an `onRevert: Block`. */
function jobRun(state: WorkloadState, spec: JobSpec, { actor, now, trigger }: Wish & Pick<Run, 'trigger'>): ByHand {
  const { record, run, runs } = state
  if (spec.suspend) return refused(`${nameOf(state)} is suspended, and starts nothing until git says suspend: false`)
  if (run !== null && isOpen(run)) return refused(`run/${run.id} of it has not ended: \`drover wait run/${run.id}\` follows it`)
  const id = nextRunId(record, spec, runs)
  return { is: 'Run', run: newRun(record, { id, trigger, actor }, { number: nextNumber(state), now }) }
}

/** A run that `Forbid` waits for; null: none. */
function inTheWay({ runs }: WorkloadState, { concurrencyPolicy }: CronJobSpec): ByHand | null {
  const open = runs.find(isOpen)
  if (concurrencyPolicy !== 'Forbid' || open === undefined) return null
  return refused(
    `run/${open.id} has not ended, and concurrencyPolicy is Forbid: \`drover wait run/${open.id}\` follows it; Allow or Replace would not wait`,
  )
}

/** No node has two runs at a time in one graph, whatever may run beside it in others. */
function nodeInTheWay({ runs }: WorkloadState, of: Run): ByHand | null {
  const open = runs.find((run) => isOpen(run) && run.graph === of.graph)
  return open === undefined ? null : refused(`run/${open.id} has not ended, in the same graph: \`drover wait run/${open.id}\` follows it`)
}

/** In a graph of its own, so that what comes after it follows. */
function beginGraph(state: WorkloadState, { actor, now }: Wish): ByHand {
  const number = nextNumber(state)
  const id = manualRunId(state, number)
  return { is: 'Run', run: newRun(state.record, { id, trigger: 'Manual', actor, graph: id }, { number, now }) }
}

function repeatNode(state: WorkloadState, { graph: begun, id: of, slot }: Run, { actor, now }: Wish): ByHand {
  const graph = begun ?? of
  const parents = (state.cron?.parents ?? []).flatMap((runs) => lastSuccess(runs, graph))
  const occasion = { id: nodeRunId(state, { graph, slot }), trigger: 'Rerun', actor, slot, graph, parents }
  return { is: 'Run', run: newRun(state.record, occasion, { number: nextNumber(state), now }) }
}

/** A parent that is just run again, or failed, is not what this builds on: when it succeeds, this node is due once more. */
function lastSuccess(runs: readonly Run[], graph: RunId): RunId[] {
  const last = runs
    .filter((run) => run.graph === graph && run.phase === 'Succeeded')
    .sort(byNumber)
    .at(-1)
  return last === undefined ? [] : [last.id]
}
