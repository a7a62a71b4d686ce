import type { Millis } from '../model/ids.ts'
import { ATTEMPTS_KEPT, type AttemptRecord } from '../model/task.ts'
import { endsInARow, restartDelay } from './restart.ts'
import type { AgentTask, EndPhase } from './task-life.ts'

/** How an attempt ended, as the driver tells it; `exitCode` null when nothing can know it. */
export type Exit = Omit<AttemptRecord, 'attempt' | 'message'>

/** Longer texts (a registry's HTML page, a stack) belong in a log, not in every status. */
const MESSAGE_MAX = 500

/** The machine failed, not the task: these use up no restart. */
export const NOT_ITS_FAULT: ReadonlySet<string> = new Set(['HostReboot', 'RuntimeRestart'])

export const short = (text: string): string => (text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX - 1)}…`)

type Verdict = { restart: true; blamed: boolean } | { restart: false; as: EndPhase; blamed: boolean }

const succeeded = (exit: Exit): boolean => exit.exitCode === 0 && exit.signal === null
const nobodyKnows = (exit: Exit): boolean => exit.exitCode === null && exit.signal === null

/** The restart policy, first rule that fits. */
function verdict(state: AgentTask, exit: Exit): Verdict {
  const { restartPolicy, maxRestarts } = state.rule
  if (succeeded(exit))
    return restartPolicy === 'Always' ? { restart: true, blamed: false } : { restart: false, as: 'Succeeded', blamed: false }
  const blamed = !NOT_ITS_FAULT.has(exit.reason)
  const used = maxRestarts !== null && blamed && state.failures >= maxRestarts
  if (restartPolicy !== 'Never' && !used) return { restart: true, blamed }
  return { restart: false, as: nobodyKnows(exit) ? 'Lost' : 'Failed', blamed }
}

/** Writes the one record of this attempt, then ends the task or goes on with the next attempt. */
export function endAttempt(state: AgentTask, exit: Exit, now: Millis): AgentTask {
  const ref = 'ref' in state.life ? state.life.ref : null
  const record: AttemptRecord = { ...exit, attempt: state.attempt, message: null, startedAt: exit.startedAt ?? startOf(state) }
  const ended: AgentTask = {
    ...state,
    tries: 0,
    until: null,
    records: [...state.records, record].slice(-ATTEMPTS_KEPT),
    leftovers: [...state.leftovers, { attempt: state.attempt, ref, stuck: false }],
  }
  if (state.desired !== 'run') return { ...ended, reasons: [], life: { phase: 'Ended', as: 'Stopped' } }
  const decided = verdict(state, exit)
  const counted = { ...ended, failures: state.failures + (decided.blamed ? 1 : 0) }
  return decided.restart ? nextAttempt(counted, record, now) : settled(counted, record, decided.as)
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

function describe(record: AttemptRecord): string {
  if (record.signal !== null) return `${record.reason}, signal ${record.signal}`
  return record.exitCode === null ? record.reason : `${record.reason}, exit code ${record.exitCode}`
}
