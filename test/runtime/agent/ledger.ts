import { expect } from 'vitest'
import { exitAt } from '../../../runtime/drivers/fake/script.ts'
import type { createWorld } from './world.ts'

type World = ReturnType<typeof createWorld>

/**
 * What the machine saw, against what the control plane was told: at most one start per attempt, never two attempts
 * of a task at once, one record for each attempt that started and ended, none for one that did not.
 */
export function checkLedger({ machine, hub, clock }: World, hint: string, forgotten: ReadonlySet<string> = new Set()): void {
  expect(hub.steppedBack, hint).toEqual([])
  const history = machine.history()
  for (const task of new Set(history.map((record) => record.task))) {
    const attempts = history.filter((record) => record.task === task && record.startedAt !== null)
    for (const { attempt } of attempts) expect(machine.starts({ task, attempt }), hint).toBe(1)
    const ends = attempts.map((record) => exitAt(record, clock.now())?.finishedAt ?? Number.POSITIVE_INFINITY)
    const starts = attempts.map((record) => record.startedAt ?? 0)
    for (const [index, end] of ends.slice(0, -1).entries())
      expect(end, `${hint}: ${task} overlaps`).toBeLessThanOrEqual(starts[index + 1] ?? 0)
    if (forgotten.has(task)) continue
    const ended = attempts.filter((record) => exitAt(record, clock.now()) !== null).map((record) => record.attempt)
    expect(
      hub.status(task)?.attempts.map((record) => record.attempt),
      `${hint}: records of ${task}`,
    ).toEqual(ended)
  }
}
