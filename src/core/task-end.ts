import type { Millis } from '../model/ids.ts'
import type { Reason } from '../model/reason.ts'
import { ATTEMPTS_KEPT, type AttemptRecord } from '../model/task.ts'
import { endsInARow, restartDelay } from './restart.ts'
import type { AgentTask, EndPhase } from './task-life.ts'
import { short } from './task-text.ts'

/** How an attempt ended, as the driver tells it; `exitCode` null when nothing can know it. */
export type Exit = Omit<AttemptRecord, 'attempt' | 'message'>

/** With the last words of the attempt, where somebody could read them. */
export type AttemptEnd = Exit & { readonly lastLines: readonly string[] }

/** Why a machine stops a task by itself: it is cut off from every control plane for as long as the task may run without. */
export const CUT_OFF = 'CutOff'

/** The machine failed, not the task: these use up no restart. */
export const NOT_ITS_FAULT: ReadonlySet<string> = new Set(['HostReboot', 'RuntimeRestart', CUT_OFF])

type Verdict = { restart: true; blamed: boolean } | { restart: false; as: EndPhase; blamed: boolean }

const succeeded = (exit: Exit): boolean => exit.exitCode === 0 && exit.signal === null
const nobodyKnows = (exit: Exit): boolean => exit.exitCode === null && exit.signal === null

/** The restart policy, first rule that fits. What was stopped for its health failed, whatever it says at its end. */
function verdict(state: AgentTask, exit: Exit, because: Reason | null): Verdict {
  const { restartPolicy, maxRestarts } = state.rule
  if (because === null && succeeded(exit))
    return restartPolicy === 'Always' ? { restart: true, blamed: false } : { restart: false, as: 'Succeeded', blamed: false }
  const blamed = !NOT_ITS_FAULT.has(exit.reason)
  const used = maxRestarts !== null && blamed && state.failures >= maxRestarts
  if (restartPolicy !== 'Never' && !used) return { restart: true, blamed }
  return { restart: false, as: because === null && nobodyKnows(exit) ? 'Lost' : 'Failed', blamed }
}

/** Writes the one record of this attempt, then ends the task or goes on with the next attempt. */
export function endAttempt(state: AgentTask, end: AttemptEnd, now: Millis): AgentTask {
  const ref = 'ref' in state.life ? state.life.ref : null
  const because = becauseOf(state)
  const { lastLines, ...told } = end
  const exit: Exit = because === null ? told : { ...told, reason: because.code }
  const message = because === null ? null : because.message
  const record: AttemptRecord = { ...exit, attempt: state.attempt, message, startedAt: exit.startedAt ?? startOf(state) }
  const ended: AgentTask = {
    ...state,
    tries: 0,
    until: null,
    records: [...state.records, record].slice(-ATTEMPTS_KEPT),
    leftovers: [...state.leftovers, { attempt: state.attempt, ref, stuck: false }],
  }
  if (state.desired !== 'run') return { ...ended, reasons: [], life: { phase: 'Ended', as: 'Stopped' } }
  const decided = verdict(state, exit, because)
  const counted = { ...ended, failures: state.failures + (decided.blamed ? 1 : 0), lastLines: wordsAfter(state, { ...end, because }) }
  return decided.restart ? nextAttempt(counted, record, now) : settled(counted, record, decided.as)
}

/** Why it had to be restarted; an order that came meanwhile counts for more. */
const becauseOf = ({ life, desired }: AgentTask): Reason | null => (desired === 'run' && 'because' in life ? life.because : null)

/** A success leaves them as they are. The words from before an unhealthy one was stopped do when nothing newer could be read. */
function wordsAfter(state: AgentTask, end: AttemptEnd & { because: Reason | null }): readonly string[] {
  if (end.because === null) return succeeded(end) ? state.lastLines : end.lastLines
  return end.lastLines.length > 0 ? end.lastLines : state.lastLines
}

const startOf = (state: AgentTask): Millis | null => ('startedAt' in state.life ? state.life.startedAt : null)

function settled(state: AgentTask, record: AttemptRecord, as: EndPhase): AgentTask {
  const reasons = as === 'Succeeded' ? [] : [{ code: record.reason, message: describe(record), count: 1 }]
  return { ...state, reasons, life: { phase: 'Ended', as } }
}

function nextAttempt(state: AgentTask, record: AttemptRecord, now: Millis): AgentTask {
  const ranFor = record.startedAt === null ? 0 : record.finishedAt - record.startedAt
  const ends = endsInARow(state.ends, ranFor)
  const delay = restartDelay(ends)
  const message = `attempt ${record.attempt} ended: ${describe(record)}`
  return {
    ...state,
    attempt: state.attempt + 1,
    ends,
    until: delay === 0 ? null : now + delay,
    reasons: [{ code: delay === 0 ? 'Restarting' : 'BackOff', message, count: ends }],
    life: { phase: 'Preparing' },
  }
}

function describe({ reason, message, signal, exitCode }: AttemptRecord): string {
  const why = message === null ? reason : short(`${reason} (${message})`)
  if (signal !== null) return `${why}, signal ${signal}`
  return exitCode === null ? why : `${why}, exit code ${exitCode}`
}
