import type { Millis } from '../../../src/model/ids.ts'
import type { Rng } from '../rng.ts'
import type { World } from '../world.ts'

/** One kind of fault: begins, and says how it ends; null: nothing happened, or it ends by itself. */
export interface Fault {
  readonly name: string
  /** How long it lasts, at most. */
  readonly forMs: Millis
  begin(world: World, rng: Rng): (() => void) | null
}
