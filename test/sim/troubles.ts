import type { Millis } from '../../src/model/ids.ts'
import { FAULTS, type Fault } from './faults/all.ts'
import { OPERATIONS, type Operation, WEIGHTS } from './operations.ts'
import type { Rng } from './rng.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** Operations and faults of one run, until they are told to end. Each kind draws for itself, so that leaving one out changes no other. */
export class Troubles {
  readonly #world: World
  readonly #rng: Rng
  #over = false

  constructor(world: World, rng: Rng) {
    this.#world = world
    this.#rng = rng
  }

  begin(scenario: Scenario): void {
    this.#operate(scenario.operations, this.#rng.fork('operations'))
    this.#strike(scenario.faults, this.#rng.fork('faults'))
  }

  end(): void {
    this.#over = true
  }

  /** What is not among the `names` is drawn all the same, and left out. */
  #operate(names: readonly string[], rng: Rng): void {
    const bag = OPERATIONS.flatMap((operation) => Array.from({ length: WEIGHTS[operation.name] ?? 1 }, () => operation))
    this.#world.note(`operations: ${names.join(', ')}`)
    this.#every(rng, rng.pick([1000, 2500, 6000]), (turn) => {
      const operation = turn.pick<Operation>(bag)
      if (names.includes(operation.name)) operation.run(this.#world, turn)
    })
  }

  #strike(names: readonly string[], rng: Rng): void {
    const pace = rng.pick([0.5, 1.5, 5])
    this.#world.note(`faults: ${names.join(', ')}, pace ${pace}`)
    for (const fault of FAULTS) {
      const own = rng.fork(fault.name)
      const mean = own.pick([5, 15, 40]) * pace * 1000
      if (names.includes(fault.name)) this.#every(own, mean, (turn) => this.#strikeOnce(fault, turn))
    }
  }

  #strikeOnce(fault: Fault, rng: Rng): void {
    const heal = fault.begin(this.#world, rng)
    const run = () => (this.#over ? undefined : heal?.())
    if (heal !== null) this.#world.scheduler.after(rng.int(200, fault.forMs), `${fault.name} ends`, { owner: null, run })
  }

  #every(rng: Rng, mean: Millis, act: (turn: Rng) => void): void {
    let turns = 0
    const next = () => {
      if (this.#over) return
      turns += 1
      if (turns > 1) act(rng.fork(`turn ${turns}`))
      this.#world.scheduler.after(rng.int(1, 2 * mean), 'plan', { owner: null, run: next })
    }
    next()
  }
}
