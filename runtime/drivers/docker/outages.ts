import type { Clock } from '../../../src/lib/clock.ts'
import type { Outage } from './exit.ts'

/** Older ones explain no exit that is still unknown. */
const KEPT = 16

/** When the daemon was away: it kills containers as it goes or comes. */
export interface Outages {
  readonly all: readonly Outage[]
  /** Again while one lasts changes nothing. */
  begin(): void
  end(): void
}

export function createOutages(clock: Clock): Outages {
  const all: Outage[] = []
  return {
    all,
    begin() {
      if (all.at(-1)?.to === null) return
      all.push({ from: clock.now(), to: null })
      if (all.length > KEPT) all.shift()
    },
    end() {
      const last = all.at(-1)
      if (last?.to === null) all.splice(-1, 1, { from: last.from, to: clock.now() })
    },
  }
}
