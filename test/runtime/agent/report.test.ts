import { expect, it } from 'vitest'
import { createReporter } from '../../../runtime/report.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import type { AgentFrame } from '../../../src/model/protocol.ts'
import type { TaskStatus } from '../../../src/model/task.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const record = (attempt: number, message = '') => ({
  attempt,
  exitCode: 1,
  signal: null,
  reason: 'Error',
  message,
  startedAt: 1,
  finishedAt: 2,
  peakMemoryBytes: null,
})

function status(task: string, attempt: number, attempts: TaskStatus['attempts'] = []): TaskStatus {
  const rest = { ready: false, failures: 0, reasons: [], backoffUntil: null, startedAt: null, images: {}, lastLines: [] }
  return { task: task as TaskId, attempt, phase: 'Running', attempts, ...rest }
}

function createListener() {
  const clock = createFakeClock()
  const reporter = createReporter(clock)
  const reports: { seq: number; said: string[]; bytes: number }[] = []
  const send = (frame: AgentFrame): void => {
    if (frame.type !== 'report') throw new Error(`not a report: ${frame.type}`)
    const said = frame.statuses.map((one) => `${one.task}.${one.attempt}`)
    reports.push({ seq: frame.seq, said, bytes: JSON.stringify(frame).length })
  }
  return { clock, reporter, reports, send, said: () => reports.map((one) => one.said) }
}

it('reports at once when idle, and the newest of each task together when busy', () => {
  const { reporter, send, said, reports } = createListener()
  reporter.open(send)
  reporter.publish(status('a', 1))
  for (const attempt of [1, 2, 3]) reporter.publish(status('b', attempt))
  reporter.publish(status('a', 2))
  expect(said()).toEqual([['a.1']])
  reporter.acked(reports[0]?.seq ?? -1)
  expect(said()).toEqual([['a.1'], ['a.2', 'b.3']])
  reporter.acked(reports[1]?.seq ?? -1)
  expect(said()).toHaveLength(2)
})

it('A5: says after a new connection what was not acknowledged, and only that', () => {
  const { reporter, send, said, reports } = createListener()
  reporter.open(send)
  reporter.publish(status('a', 1))
  reporter.acked(reports[0]?.seq ?? -1)
  reporter.publish(status('b', 1))
  reporter.close()
  reporter.publish(status('c', 1))
  expect(reporter.greeting().map((one) => one.task)).toEqual(['a', 'b', 'c'])
  reporter.open(send)
  expect(said()).toEqual([['a.1'], ['b.1'], ['b.1', 'c.1']])
})

it('takes no answer to an earlier report for one to this', () => {
  const { reporter, send, said, reports } = createListener()
  reporter.open(send)
  reporter.publish(status('a', 1))
  const earlier = reports[0]?.seq ?? -1
  reporter.close()
  reporter.open(send)
  reporter.acked(earlier)
  reporter.close()
  reporter.open(send)
  expect(said()).toEqual([['a.1'], ['a.1'], ['a.1']])
})

it('A5: repeats after 15 s without an answer, with what is newest by then', async () => {
  const { clock, reporter, send, said } = createListener()
  reporter.open(send)
  reporter.publish(status('a', 1))
  reporter.publish(status('a', 2))
  await clock.advance(14_999)
  reporter.repeatUnanswered()
  expect(said()).toEqual([['a.1']])
  await clock.advance(1)
  reporter.repeatUnanswered()
  expect(said()).toEqual([['a.1'], ['a.2']])
})

it('is silent about what it was told to forget', () => {
  const { reporter, send, said } = createListener()
  reporter.publish(status('a', 1))
  reporter.publish(status('b', 1))
  reporter.withdraw('a' as TaskId)
  reporter.open(send)
  expect(reporter.greeting().map((one) => one.task)).toEqual(['b'])
  expect(said()).toEqual([['b.1']])
})

it('keeps every frame far below 1 MiB, and still says every record', () => {
  const { reporter, send, reports } = createListener()
  const records = Array.from({ length: 20 }, (_, index) => record(index + 1, 'x'.repeat(200)))
  for (let n = 0; n < 500; n += 1) reporter.publish(status(`task-${n}`, 21, records))
  const greeting = reporter.greeting()
  expect(greeting).toHaveLength(500)
  expect(JSON.stringify(greeting).length).toBeLessThan(512 * 1024)
  reporter.open(send)
  for (let index = 0; index < reports.length; index += 1) reporter.acked(reports[index]?.seq ?? -1)
  expect(new Set(reports.flatMap((one) => one.said)).size).toBe(500)
  expect(Math.max(...reports.map((one) => one.bytes))).toBeLessThan(300 * 1024)
})

it('holds one status a task however much happens while nobody listens, and says it in one go', () => {
  const { reporter, send, reports } = createListener()
  for (let event = 1; event <= 100_000; event += 1) reporter.publish(status(`task-${event % 100}`, event))
  expect(reporter.greeting()).toHaveLength(100)
  reporter.open(send)
  expect(reports).toHaveLength(1)
  expect(reports[0]?.said).toContain('task-0.100000')
  expect(reports[0]?.said).toHaveLength(100)
})
