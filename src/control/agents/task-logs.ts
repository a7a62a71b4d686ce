import { bodyOf } from '../../model/body.ts'
import type { Digest, TaskId } from '../../model/ids.ts'
import type { LogLine, LogOptions } from '../../model/protocol.ts'
import { type Observed, type Task, TERMINAL } from '../../model/task.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import { RequestError } from '../requests/control-plane.ts'
import type { Hub } from './hub.ts'
import type { LogTickets } from './log-tickets.ts'

/** What is read of the leader's term. */
interface Known {
  readonly cluster: {
    readonly tasks: ReadonlyMap<TaskId, Task>
    readonly observed: ReadonlyMap<TaskId, Observed>
    readonly versions: { get(digest: Digest): WorkloadVersion | undefined }
  }
  readonly hub: Pick<Hub, 'send'>
}

export interface LogRequest {
  readonly task: string
  readonly options: LogOptions
  readonly term: Known
  readonly tickets: LogTickets
  readonly newId: () => string
}

/** Asks the agent for the output of a task; the lines end with it, or when the reader aborts. */
export function openLogs({ task, options, term, tickets, newId }: LogRequest, signal: AbortSignal): AsyncIterable<LogLine> {
  const { id, agent, inputsDigest } = taskNamed(task, term)
  const observed = term.cluster.observed.get(id)
  if (agent === null || observed === undefined) throw new RequestError('Conflict', `task ${task} has not started, so it has no logs yet`)
  assertAttempt(options.attempt, { task, last: observed.attempt })
  const version = term.cluster.versions.get(inputsDigest)
  assertUnit(options.unit, version === undefined ? [] : unitsOf(bodyOf(version).template.spec))
  const ticket = newId()
  const lines = tickets.lines({ ticket, agent }, signal)
  const follow = options.follow && !TERMINAL.has(observed.phase)
  const sent = term.hub.send(agent, { type: 'logs', ticket, task: id, options: { ...options, follow } })
  if (sent === 'NotConnected') throw new RequestError('Unavailable', `agent ${agent}, which keeps these logs, is not connected`)
  return lines
}

function taskNamed(task: string, { cluster }: Known) {
  const found = cluster.tasks.get(task as TaskId)
  if (found === undefined) throw new RequestError('NotFound', `no task ${task}`)
  return found
}

function assertAttempt(attempt: number | null, { task, last }: { task: string; last: number }): void {
  if (attempt === null || (attempt >= 1 && attempt <= last)) return
  throw new RequestError('NotFound', `task ${task} has no attempt ${attempt}; ${last === 0 ? 'none has started' : `the last is ${last}`}`)
}

interface Units {
  readonly containers?: readonly { name: string }[] | undefined
  readonly processes?: readonly { name: string }[] | undefined
}

const unitsOf = (spec: Units): string[] => (spec.containers ?? spec.processes ?? []).map(({ name }) => name)

/** Of a version that is forgotten by now no name is known, so none is refused. */
function assertUnit(unit: string | null, known: readonly string[]): void {
  if (unit === null || known.length === 0 || known.includes(unit)) return
  throw new RequestError('NotFound', `no container or process is named ${unit}; there is ${known.join(', ')}`)
}
