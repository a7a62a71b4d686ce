import { type ByHand, manualRun, rerun, type Wish } from '../../core/batch/by-hand.ts'
import type { WorkloadState } from '../../core/workload.ts'
import { must } from '../../lib/must.ts'
import { type RunId, workloadKey } from '../../model/ids.ts'
import type { RunView } from '../../model/views.ts'
import type { LeadingTerm } from '../leader/lead.ts'
import type { TurnContext } from '../leader/term.ts'
import { workloadState } from '../leader/workload-state.ts'
import { inTurn } from '../source/source.ts'
import { RequestError, type WorkloadRef } from './control-plane.ts'
import { runView } from './run-views.ts'

/** A run of a Job or a CronJob now. @throws RequestError `Conflict` with what is in the way. */
export function startRun(leading: LeadingTerm, { namespace, kind, name }: WorkloadRef, actor: string): Promise<RunView> {
  return begun(leading, (turn) => {
    const state = workloadState(workloadKey(namespace, kind, name), turn)
    if (state === null) throw new RequestError('NotFound', `no ${kind.toLowerCase()} ${name} in namespace ${namespace}`)
    return record(state, manualRun, { turn, actor })
  })
}

/** A run again, with what git says now. @throws RequestError `Conflict` with what is in the way. */
export function repeatRun(leading: LeadingTerm, id: string, actor: string): Promise<RunView> {
  return begun(leading, (turn) => {
    const run = turn.term.cluster.runs.get(id as RunId)
    if (run === undefined || run.buriedAt !== null) throw new RequestError('NotFound', `no run ${id}`)
    const state = workloadState(run.workload, turn)
    if (state === null) throw new RequestError('NotFound', `${run.workload}, which run ${id} was of, is not there any more`)
    return record(state, (known, wish) => rerun(known, run, wish), { turn, actor })
  })
}

/** Answers with the run once it is stored, and started where nothing holds it up. */
async function begun(leading: LeadingTerm, make: (turn: TurnContext) => RunId): Promise<RunView> {
  const made: RunId[] = []
  await inTurn(leading, (turn) => {
    made.push(make(turn))
  })
  const { cluster } = leading.term
  return runView(must(cluster.runs.get(must(made[0], 'the turn was taken')), 'the run was recorded'), leading.term)
}

type Decide = (state: WorkloadState, wish: Wish) => ByHand

/** The turn that records it goes on to start it, as any run that is recorded. */
function record(state: WorkloadState, decide: Decide, { turn, actor }: { turn: TurnContext; actor: string }): RunId {
  const decided = decide(state, { actor, now: turn.now })
  if (decided.is === 'Refused') throw new RequestError('Conflict', decided.why)
  turn.draft.write({ table: 'runs', id: decided.run.id, value: decided.run })
  return decided.run.id
}
