import { TerminalError } from '../lib/errors.ts'
import type { Millis } from '../model/ids.ts'
import type { ClusterIdentity } from '../model/records.ts'

/** Epochs for each millisecond: no store commits a million revisions a second, so epochs never overtake the clock. */
const EPOCHS_PER_MS = 1000

/**
 * Epochs must rise over a restore, or agents would take the restored control plane for a replaced leader. The store's
 * own revisions may start anew, and nobody can know how many times one backup was restored before, so the clock is
 * asked: the next epoch is the microsecond of now, or one past the last known, whichever is later.
 * @param at where epochs go on: `revision` is the store's now, `epoch` the highest that is known to have been given.
 * @throws TerminalError `BadClock` when the wall clock is of no use (before 2020, or after 2255 where numbers end).
 */
export function nextIncarnation(before: ClusterIdentity, at: { now: Millis; revision: string; epoch: number }): ClusterIdentity {
  const next = Math.max(at.now * EPOCHS_PER_MS, at.epoch + 1)
  const epochBase = Math.max(0, next - Number(at.revision))
  if (at.now < Date.UTC(2020) || !Number.isSafeInteger(next)) {
    throw new TerminalError('BadClock', `the clock of this machine says ${new Date(at.now).toISOString()}: set it, then try again`)
  }
  return { ...before, incarnation: before.incarnation + 1, epochBase, restoredAt: at.now }
}
