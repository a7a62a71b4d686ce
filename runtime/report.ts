import type { Clock } from '../src/lib/clock.ts'
import type { Millis, TaskId } from '../src/model/ids.ts'
import type { AgentFrame } from '../src/model/protocol.ts'
import type { TaskStatus } from '../src/model/task.ts'
import type { StatusSink } from './task-runner.ts'

/** A frame may have 1 MiB; a quarter leaves room and lets other frames in between. */
const REPORT_BYTES = 256 * 1024
/** A greeting above this leaves the attempt records to the reports that follow it. */
const HELLO_BYTES = 512 * 1024
/** A report without an answer for so long is said again; the control plane takes a repeat for what it is. */
const ANSWER_WITHIN: Millis = 15_000

export interface Reporter extends StatusSink {
  /** A new connection: the tasks for its `hello`. Whatever is not acknowledged follows after `open`. */
  greeting(): TaskStatus[]
  open(send: (frame: AgentFrame) => void): void
  close(): void
  acked(seq: number): void
  /** To be called now and then: says again what was not answered in time. */
  repeatUnanswered(): void
}

interface Sent {
  readonly seq: number
  readonly at: Millis
  readonly statuses: ReadonlyMap<TaskId, TaskStatus>
}

/**
 * Says the newest status of each task until it is acknowledged. One report is under way at a time: what changes
 * meanwhile goes out together with the answer to it, so an idle agent reports at once and a busy one in batches.
 * Nothing is lost by skipping the statuses between, for each carries the records of all attempts.
 */
export function createReporter(clock: Clock): Reporter {
  const latest = new Map<TaskId, TaskStatus>()
  const unanswered = new Map<TaskId, TaskStatus>()
  let send: ((frame: AgentFrame) => void) | null = null
  let underWay: Sent | null = null
  let seq = 0

  const flush = (): void => {
    if (send === null || underWay !== null || unanswered.size === 0) return
    const statuses = batch(unanswered)
    seq += 1
    underWay = { seq, at: clock.monotonic(), statuses }
    send({ type: 'report', seq, statuses: [...statuses.values()] })
  }

  return {
    publish(status) {
      latest.set(status.task, status)
      unanswered.set(status.task, status)
      flush()
    },
    withdraw(task) {
      latest.delete(task)
      unanswered.delete(task)
    },
    greeting() {
      const whole = [...latest.values()]
      if (sizeOf(whole) <= HELLO_BYTES) return whole
      for (const status of whole) unanswered.set(status.task, status)
      return whole.map((status) => ({ ...status, attempts: [] }))
    },
    open(to) {
      send = to
      underWay = null
      flush()
    },
    close() {
      send = null
      underWay = null
    },
    acked(answered) {
      if (underWay?.seq !== answered) return
      for (const [task, status] of underWay.statuses) if (unanswered.get(task) === status) unanswered.delete(task)
      underWay = null
      flush()
    },
    repeatUnanswered() {
      if (underWay === null || clock.monotonic() - underWay.at < ANSWER_WITHIN) return
      underWay = null
      flush()
    },
  }
}

/** As many as fit into one report, at least one. */
function batch(statuses: ReadonlyMap<TaskId, TaskStatus>): ReadonlyMap<TaskId, TaskStatus> {
  const taken = new Map<TaskId, TaskStatus>()
  let bytes = 0
  for (const [task, status] of statuses) {
    bytes += sizeOf(status)
    if (taken.size > 0 && bytes > REPORT_BYTES) break
    taken.set(task, status)
  }
  return taken
}

const sizeOf = (value: unknown): number => JSON.stringify(value).length
