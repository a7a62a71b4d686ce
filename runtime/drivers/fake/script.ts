import type { LogLine } from '../../../src/model/protocol.ts'
import type { FakeScript } from '../../../src/model/template.ts'
import type { Exit, LogQuery, OwnHealth, ProbeResult } from '../../driver.ts'
import type { FakeRecord } from './machine.ts'

const SECOND = 1000
/** What a shell reports of a process that TERM ended: 128 + 15. */
const TERMINATED = 143

const RUNS_ON: FakeScript = { exitCode: 0, failStart: false, readyAfterSeconds: 0 }

const scriptOf = (record: FakeRecord): FakeScript => record.script ?? RUNS_ON

/** When and how it ends by itself; null: never. A crash at the same moment as the end wins. */
function ownEnd(script: FakeScript): { afterMs: number; exitCode: number } | null {
  const crash = script.crashAfterSeconds ?? Number.POSITIVE_INFINITY
  const end = script.runForSeconds ?? Number.POSITIVE_INFINITY
  if (crash === Number.POSITIVE_INFINITY && end === Number.POSITIVE_INFINITY) return null
  if (crash <= end) return { afterMs: crash * SECOND, exitCode: script.exitCode === 0 ? 1 : script.exitCode }
  return { afterMs: end * SECOND, exitCode: script.exitCode }
}

/** When it ends, as far as it is known now; null: only when it is stopped. */
function endsAt(record: FakeRecord): number | null {
  const end = ownEnd(scriptOf(record))
  const own = end === null || record.startedAt === null ? null : record.startedAt + end.afterMs
  if (record.stoppedAt === null) return own
  return own === null ? record.stoppedAt : Math.min(own, record.stoppedAt)
}

/** How it ended, or null while it runs at `now`. */
export function exitAt(record: FakeRecord, now: number): Exit | null {
  const finishedAt = endsAt(record)
  if (finishedAt === null || finishedAt > now) return null
  const { startedAt } = record
  const end = ownEnd(scriptOf(record))
  const times = { startedAt, finishedAt, peakMemoryBytes: null }
  const byItself = end !== null && startedAt !== null && startedAt + end.afterMs <= (record.stoppedAt ?? Number.POSITIVE_INFINITY)
  if (!byItself) return { exitCode: TERMINATED, signal: 'SIGTERM', reason: 'Error', ...times }
  return { exitCode: end.exitCode, signal: null, reason: end.exitCode === 0 ? 'Completed' : 'Error', ...times }
}

const readyFrom = (record: FakeRecord): number | null =>
  record.startedAt === null ? null : record.startedAt + scriptOf(record).readyAfterSeconds * SECOND

function unhealthyFrom(record: FakeRecord): number | null {
  const after = scriptOf(record).unhealthyAfterSeconds
  return record.startedAt === null || after === undefined ? null : record.startedAt + after * SECOND
}

/** What its own health check says; one that has ended has nothing to say. */
export function healthAt(record: FakeRecord, now: number): OwnHealth {
  if (exitAt(record, now) !== null) return 'starting'
  const [ready, unhealthy] = [readyFrom(record), unhealthyFrom(record)]
  if (unhealthy !== null && unhealthy <= now) return 'unhealthy'
  if (ready === null || ready > now) return 'starting'
  return unhealthy === null ? 'none' : 'healthy'
}

/** The answer to any probe: the script knows only one truth. */
export function probedAt(record: FakeRecord, now: number): ProbeResult {
  if (exitAt(record, now) !== null) return { passed: false, message: 'it has ended' }
  const health = healthAt(record, now)
  if (health === 'starting') return { passed: false, message: 'the script says that it is not ready yet' }
  return health === 'unhealthy' ? { passed: false, message: 'the script says that it is unhealthy' } : { passed: true }
}

/** What it has printed until `now`: its own story, so that `logs` has something to show. */
export function linesUntil(record: FakeRecord, now: number): LogLine[] {
  const { startedAt } = record
  if (startedAt === null) return []
  const end = endsAt(record)
  const ready = readyFrom(record) ?? startedAt
  const unhealthy = unhealthyFrom(record)
  const exit = exitAt(record, now)
  const line = (at: number, text: string): LogLine => ({ stream: 'stdout', at, text })
  const lines = [line(startedAt, 'started')]
  if (ready <= now && (end === null || ready < end)) lines.push(line(ready, 'ready'))
  if (unhealthy !== null && unhealthy <= now && (end === null || unhealthy < end)) lines.push(line(unhealthy, 'unhealthy'))
  if (exit !== null) lines.push(line(exit.finishedAt, `exited with code ${exit.exitCode}`))
  return lines
}

/** Those that a query is about, tail last. */
export function linesOf(lines: readonly LogLine[], { since, until, tail }: LogQuery): LogLine[] {
  const inRange = lines.filter(({ at }) => at !== null && (since === null || at >= since) && (until === null || at <= until))
  return tail === null ? inRange : inRange.slice(Math.max(0, inRange.length - tail))
}

/** The next moment after `now` at which it does something; null: none is planned. */
export function nextChange(record: FakeRecord, now: number): number | null {
  const moments = [readyFrom(record), unhealthyFrom(record), endsAt(record)].filter((at) => at !== null && at > now)
  return moments.length === 0 ? null : Math.min(...moments.filter((at) => at !== null))
}
