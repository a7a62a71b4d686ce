import type { Millis, RunId } from '../../model/ids.ts'
import { reasonOf } from '../../model/reason.ts'
import type { Run } from '../../model/records.ts'
import type { WhyView } from '../../model/views.ts'
import type { Term } from '../leader/term.ts'
import { workloadState } from '../leader/workload-state.ts'
import { RequestError } from './control-plane.ts'
import { heldUp } from './why-cron.ts'
import { type Line, lineOf, taskLines, workloadLines } from './why-lines.ts'

const HEALTH_OF_RUN = {
  Pending: 'Progressing',
  Running: 'Progressing',
  Succeeded: 'Healthy',
  Failed: 'Degraded',
  Suspended: 'Suspended',
} as const

/** A run outlives its Job, so what it tells comes from its own record; while it goes on, the Job tells the rest. */
export function whyRun(id: string, term: Term, now: Millis): WhyView {
  const run = term.cluster.runs.get(id as RunId)
  if (run === undefined) throw new RequestError('NotFound', `no run ${id}`)
  const code = run.exitCode === null ? '' : `, exit code ${run.exitCode}`
  const ended = run.reason === null ? '' : `: ${run.reason}${code}${run.message === null ? '' : `: ${run.message}`}`
  const others = run.finishedAt === null ? waitLines(run, term, now) : heldUp(run, term)
  return {
    object: `run/${id}`,
    health: HEALTH_OF_RUN[run.phase],
    summary: `${run.phase}${ended}, at ${run.revision}`,
    lines: [...attemptLines(run), ...others],
    nextWake: null,
  }
}

function attemptLines({ attempts }: Run): Line[] {
  return attempts
    .filter(({ exitCode }) => exitCode !== 0)
    .map(({ task, attempt, reason, message, exitCode }) => {
      const text = message ?? `exited with ${exitCode === null ? 'an unknown code' : `code ${exitCode}`}`
      return lineOf(`task/${task} attempt ${attempt}`, reasonOf(reason, text))
    })
}

/** What one that goes on waits for. */
function waitLines(run: Run, term: Term, now: Millis): Line[] {
  const state = workloadState(run.workload, { term, now })
  if (state === null) return []
  const own = taskLines(term.cluster.tasksOfRun(run.id), { templateDigest: run.templateDigest, term, now })
  if (state.version.kind === 'Job') return [...workloadLines(state.record, term), ...own]
  // The health of a CronJob tells of its last run, too.
  const unmet = run.startedAt === null ? state.unmet : []
  return [...unmet.map(({ reason }) => lineOf(run.workload, reason)), ...own]
}
