import { exitAt } from '../../../runtime/drivers/fake/script.ts'
import { canonicalJson } from '../../../src/lib/canonical.ts'
import type { AttemptRecord, Observed } from '../../../src/model/task.ts'
import { TERMINAL } from '../../../src/model/task.ts'
import type { CheckContext, MakeChecker } from '../checker.ts'
import { type Change, changesOf } from '../mirror.ts'

/** An end is told once, never changes, and is what really happened on the machine. */
export const recordsChecker: MakeChecker = (context) => {
  const ends = new Map<string, string>()
  const { findings } = context
  const once = (observed: Observed, record: AttemptRecord): void => {
    const key = `${observed.task}.${record.attempt}`
    const text = canonicalJson(record)
    const known = ends.get(key)
    if (known !== undefined && known !== text) findings.report('OneTerminalRecord', `${key} ended as ${known}, then as ${text}`)
    if (known === undefined) checkTruth(context, observed, record)
    ends.set(key, text)
  }
  return {
    committed({ changes }) {
      for (const change of changesOf(changes, 'observed')) {
        checkForward(context, change)
        if (change.after?.ready === true && change.before?.ready !== true) checkReady(context, change.after)
        for (const record of change.after?.attempts ?? []) if (change.after !== undefined) once(change.after, record)
      }
      for (const { id, before, after } of changesOf(changes, 'tasks')) {
        if (before === undefined || after === undefined) continue
        if (before.desired === 'stop' && after.desired === 'run') findings.report('DesiredForward', `${id} would run again`)
        if (before.agent !== null && before.agent !== after.agent)
          findings.report('PlacedOnce', `${id} moved from ${before.agent} to ${after.agent}`)
      }
    },
  }
}

function checkForward({ findings }: CheckContext, { id, before, after }: Change<'observed'>): void {
  if (before === undefined || after === undefined) return
  if (TERMINAL.has(before.phase) && (after.phase !== before.phase || after.attempt !== before.attempt))
    findings.report('TerminalIsFinal', `${id} was ${before.phase} and became ${after.phase}`)
  if (after.attempt === before.attempt && RANK[after.phase] < RANK[before.phase])
    findings.report('PhaseNeverFalls', `${id} went from ${before.phase} back to ${after.phase} in attempt ${after.attempt}`)
  if (after.attempt < before.attempt) findings.report('AttemptsGrow', `${id} went from attempt ${before.attempt} back to ${after.attempt}`)
}

/** Said here a second time, so that a mistake in the product's own order is seen. */
const RANK: Readonly<Record<Observed['phase'], number>> = {
  ...{ Preparing: 1, Starting: 2, Running: 3, Stopping: 4 },
  ...{ Succeeded: 5, Failed: 5, Stopped: 5, Lost: 5, Rejected: 5 },
}

function checkTruth({ findings, agents, ledger }: CheckContext, observed: Observed, record: AttemptRecord): void {
  const agent = agents.get(observed.agent)
  const truth = agent && ledger.attempt(agent, { task: observed.task, attempt: record.attempt })?.record
  const key = `${observed.task}.${record.attempt}`
  if (truth === undefined || truth.startedAt === null) {
    findings.report('ExitIsTrue', `${key} is said to have ended with ${record.exitCode} on ${observed.agent}, where it never started`)
    return
  }
  const exit = exitAt(truth, Number.MAX_SAFE_INTEGER)
  if (exit === null || exit.exitCode !== record.exitCode)
    findings.report('ExitIsTrue', `${key} ended with ${exit?.exitCode ?? 'nothing'}, and ${record.exitCode} was told (${record.reason})`)
}

/** Whoever is said to be ready was ready on its machine before that. */
function checkReady({ findings, agents, ledger, now }: CheckContext, observed: Observed): void {
  const agent = agents.get(observed.agent)
  const truth = agent && ledger.attempt(agent, observed)?.record
  if (agent === undefined || truth === undefined || truth.startedAt === null) {
    findings.report('ReadyIsTrue', `${observed.task}.${observed.attempt} is said to be ready, and never started`)
    return
  }
  const readyFrom = truth.startedAt + (truth.script?.readyAfterSeconds ?? 0) * 1000
  if (agent.steady(now()) < readyFrom)
    findings.report('ReadyIsTrue', `${observed.task}.${observed.attempt} is said to be ready before it is`)
}
