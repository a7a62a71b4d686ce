import { FAULTS } from './faults/all.ts'
import { OPERATIONS } from './operations.ts'
import { createRng, type Rng } from './rng.ts'

/** `safety`: all heals, and all must come to rest. `liveness`: a core heals, the rest stays broken, and the core must get on. */
export type Mode = 'safety' | 'liveness'

/** What a run is narrowed to; whatever is not said is drawn from the seed, and draws nothing else away. */
export interface Narrowing {
  /** Length of the time of troubles. */
  readonly seconds?: number
  readonly agents?: number
  readonly controls?: number
  /** Names of the kinds that strike, and of the operations that are tried. */
  readonly faults?: readonly string[]
  readonly operations?: readonly string[]
}

/** Everything that a run is, but for what is drawn on its way. */
export interface Scenario extends Required<Narrowing> {
  readonly seed: number
  readonly mode: Mode
}

interface Size {
  readonly agents: number
  readonly seconds: number
}

/** Most worlds are small, for there most is found in a second; the larger ones are shorter, so that they cost no more. */
function sizeOf(rng: Rng): Size {
  const draw = rng.next()
  if (draw < 0.8) return { agents: rng.int(1, 4), seconds: rng.int(40, 90) }
  if (draw < 0.95) return { agents: rng.int(5, 12), seconds: rng.int(30, 60) }
  return { agents: rng.int(13, 50), seconds: rng.int(15, 30) }
}

/** Swarm testing: a seed knows only some of the kinds, so that rare ones meet in some seeds. */
function someOf(names: readonly string[], rng: Rng, chance: () => number): string[] {
  return names.filter(() => rng.chance(chance()))
}

function operationsOf(rng: Rng): string[] {
  const names = OPERATIONS.map(({ name }) => name)
  const chosen = someOf(names, rng, () => 0.6)
  return chosen.length === 0 ? names : chosen
}

/** @throws Error for a name that no fault or operation has. */
export function scenarioOf(seed: number, mode: Mode, narrowing: Narrowing): Scenario {
  const rng = createRng(seed).fork('scenario')
  const size = sizeOf(rng.fork('size'))
  const faults = rng.fork('faults')
  return {
    seed,
    mode,
    seconds: narrowing.seconds ?? size.seconds,
    agents: narrowing.agents ?? size.agents,
    controls: narrowing.controls ?? rng.fork('controls').pick([1, 1, 2, 2, 3]),
    faults: known(narrowing.faults, FAULTS) ?? someOf(namesOf(FAULTS), faults, () => faults.pick([0.1, 0.3, 0.6])),
    operations: known(narrowing.operations, OPERATIONS) ?? operationsOf(rng.fork('operations')),
  }
}

interface Named {
  readonly name: string
}

const namesOf = (all: readonly Named[]): string[] => all.map(({ name }) => name)

function known(asked: readonly string[] | undefined, all: readonly Named[]): readonly string[] | undefined {
  const names = namesOf(all)
  const strange = asked?.find((name) => !names.includes(name))
  if (strange !== undefined) throw new Error(`there is no ${strange}; there are ${names.join(', ')}`)
  return asked
}
