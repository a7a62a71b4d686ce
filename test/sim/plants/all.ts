import type { InvariantName } from '../invariants.ts'
import type { Mode } from '../scenario.ts'
import { NO_BUG, type Seams } from '../seams.ts'
import { CORE_BUGS } from './core-bugs.ts'
import { SEAM_BUGS } from './seam-bugs.ts'

/** A mistake put into the product on purpose, to prove that the checkers would see it. */
export interface PlantedBug {
  readonly name: string
  /** What must catch it: one of these. */
  readonly caughtBy: readonly InvariantName[]
  readonly mode: Mode
  readonly seams: Seams
}

export const PLANTED_BUGS: readonly PlantedBug[] = [...SEAM_BUGS, ...CORE_BUGS.map((bug) => ({ ...bug, seams: NO_BUG }))]

/** @throws Error for a name that no planted bug has. */
export function plantedBug(name: string): PlantedBug {
  const found = PLANTED_BUGS.find((bug) => bug.name === name)
  if (found === undefined) throw new Error(`no planted bug ${name}; there are ${PLANTED_BUGS.map((bug) => bug.name).join(', ')}`)
  return found
}
