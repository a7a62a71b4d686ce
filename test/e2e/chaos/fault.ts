import type { Rng } from '../../sim/rng.ts'
import type { World } from './world.ts'

/** What a fault may cost; nothing else may change because of it. `Replacement`: of tasks on machines that were silent too long. */
export type Toll = 'Nothing' | 'Containers' | 'Replacement'

const TOLLS: readonly Toll[] = ['Replacement', 'Containers']

/** One thing that goes wrong and is mended again. */
export interface Fault {
  /** As people read it: what, and whose. */
  readonly title: string
  readonly toll: Toll
  begin(): Promise<void>
  heal(): Promise<void>
}

export interface Nemesis {
  /** One row of the summary. */
  readonly kind: string
  /** Milliseconds for which it must be on to be what it is; as long as any other unless told. */
  readonly holdMs?: number
  /** What it would do now; the world decides whom it strikes. */
  plan(world: World, rng: Rng): Fault
}

/** Several at once. */
export function together(faults: readonly Fault[]): Fault {
  return {
    title: faults.map(({ title }) => title).join(' + '),
    toll: TOLLS.find((worst) => faults.some(({ toll }) => toll === worst)) ?? 'Nothing',
    async begin() {
      for (const fault of faults) await fault.begin()
    },
    async heal() {
      for (const fault of faults) await fault.heal()
    },
  }
}
