import type { Millis } from '../../src/model/ids.ts'
import { checkSettled } from './liveness.ts'
import { FAULTS, type Fault, healAll } from './nemesis.ts'
import { firstModel, OPERATIONS, type Operation, WEIGHTS } from './operations.ts'
import type { Rng } from './rng.ts'
import { NO_BUG, type Seams } from './seams.ts'
import type { Finding } from './violation.ts'
import { World } from './world.ts'

export interface RunOptions {
  readonly seed: number
  /** Length of the time of troubles. */
  readonly seconds?: number
  readonly agents?: number
  readonly controls?: number
  readonly seams?: Seams
  readonly print?: (line: string) => void
}

export interface RunResult {
  readonly seed: number
  readonly findings: readonly Finding[]
  /** SHA-1 of everything that happened. */
  readonly hash: string
  readonly events: number
  /** Virtual time, all phases together. */
  readonly simulatedMs: Millis
  /** Virtual time from the healing until all was settled; null when it never was. */
  readonly settledMs: Millis | null
  readonly tail: readonly string[]
}

const SETTLE_WITHIN: Millis = 600_000
const LOOK_EVERY: Millis = 1_000

/** Runs one seed: troubles, then healing, then peace. Equal options give an equal result. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const world = newWorld(options)
  const onRejection = (error: unknown) => world.broke('unhandled rejection', error)
  process.on('unhandledRejection', onRejection)
  try {
    const rng = world.rng.fork('plan')
    const seconds = options.seconds ?? rng.int(60, 120)
    begin(world, rng)
    await world.scheduler.runUntil(seconds * 1000, () => world.findings.any)
    const settledMs = world.findings.any ? null : await settle(world)
    return {
      seed: options.seed,
      findings: world.findings.all,
      hash: world.trace.digest(),
      events: world.scheduler.events,
      simulatedMs: world.scheduler.now,
      settledMs,
      tail: world.trace.tail(),
    }
  } finally {
    process.off('unhandledRejection', onRejection)
  }
}

function newWorld(options: RunOptions): World {
  const { seed, seams = NO_BUG, print = null } = options
  const bare = new World({ seed, agents: 0, controls: 0, seams, print: null }).rng.fork('size')
  return new World({ seed, agents: options.agents ?? bare.int(1, 4), controls: options.controls ?? bare.int(1, 2), seams, print })
}

function begin(world: World, rng: Rng): void {
  world.git.commit(firstModel(rng), 'first', world.wall())
  const maxDelayMs = rng.pick([5, 50, 500, 2000])
  for (const link of world.links()) link.maxDelayMs = maxDelayMs
  for (const node of [...world.controls, ...world.agents]) node.start()
  planOperations(world, rng.fork('operations'))
  planFaults(world, rng.fork('faults'))
}

/** Swarm testing: a seed knows only some of the operations, so that rare ones meet in some seeds. */
function planOperations(world: World, rng: Rng): void {
  const chosen = OPERATIONS.filter(() => rng.chance(0.6))
  const bag = (chosen.length === 0 ? OPERATIONS : chosen).flatMap((operation) =>
    Array.from({ length: WEIGHTS[operation.name] ?? 1 }, () => operation),
  )
  const mean = rng.pick([2, 5, 12]) * 1000
  world.note(`operations: ${chosen.map(({ name }) => name).join(', ')}, one in ${mean} ms`)
  every(world, { rng, mean }, () => rng.pick<Operation>(bag).run(world, rng))
}

function planFaults(world: World, rng: Rng): void {
  const chosen = FAULTS.filter(() => rng.chance(rng.pick([0.1, 0.3, 0.6])))
  const pace = rng.pick([1, 3, 10])
  world.note(`faults: ${chosen.map(({ name }) => name).join(', ')}, pace ${pace}`)
  for (const fault of chosen) every(world, { rng, mean: rng.pick([5, 15, 40]) * pace * 1000 }, () => strike(world, fault, rng))
}

function strike(world: World, fault: Fault, rng: Rng): void {
  const heal = fault.begin(world, rng)
  if (heal !== null) world.scheduler.after(rng.int(200, fault.forMs), `${fault.name} ends`, { owner: null, run: heal })
}

const troubled = new WeakMap<World, { over: boolean }>()

/** Until the troubles are over. */
function every(world: World, { rng, mean }: { rng: Rng; mean: Millis }, act: () => void): void {
  const phase = troubled.get(world) ?? { over: false }
  troubled.set(world, phase)
  const next = () => {
    if (phase.over) return
    act()
    world.scheduler.after(rng.int(1, 2 * mean), 'plan', { owner: null, run: next })
  }
  world.scheduler.after(rng.int(1, 2 * mean), 'plan', { owner: null, run: next })
}

/** Heals all and waits for peace; what does not come to rest in time is a finding. */
async function settle(world: World): Promise<Millis | null> {
  const phase = troubled.get(world)
  if (phase !== undefined) phase.over = true
  healAll(world)
  const from = world.scheduler.now
  let unsettled = ['nothing was looked at']
  while (world.scheduler.now < from + SETTLE_WITHIN) {
    await world.scheduler.runUntil(world.scheduler.now + LOOK_EVERY, () => world.findings.any)
    if (world.findings.any) return null
    unsettled = await checkSettled(world)
    if (unsettled.length === 0) return world.scheduler.now - from
  }
  world.findings.report('ComesToRest', unsettled.join('; '))
  return null
}
