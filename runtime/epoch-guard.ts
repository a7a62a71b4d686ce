import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import type { Epoch } from '../src/model/ids.ts'
import type { AgentNotes, Journal } from './journal.ts'
import { type AssignmentsFrame, isStale } from './tasks.ts'

/** Remembers the newest leader, so that none before it is obeyed again. */
export interface EpochGuard {
  /** The newest one that a crash would not make it forget: what it greets with never goes back. */
  remembered(): Epoch
  /** False for orders of a leader that has been replaced. A new leader is written down before it is obeyed. */
  accepts(frame: AssignmentsFrame): Promise<boolean>
}

export function createEpochGuard(notes: AgentNotes, { journal, log }: { journal: Journal; log: Logger }): EpochGuard {
  let highest = notes.epoch
  let written = notes.epoch

  /** A full disk must not keep a task from being stopped, so the order is obeyed even if this fails; the next one tries again. */
  const remember = async (epoch: Epoch): Promise<void> => {
    highest = epoch
    try {
      await journal.saveAgent({ epoch })
      written = epoch
    } catch (error) {
      log.error({ epoch, error: messageOf(error) }, 'epoch not written')
    }
  }

  return {
    remembered: () => written,
    async accepts(frame) {
      if (isStale(frame, highest)) {
        log.warn({ epoch: frame.epoch, highest }, 'orders of a replaced leader refused')
        return false
      }
      if (frame.epoch > written) await remember(frame.epoch)
      return true
    },
  }
}
