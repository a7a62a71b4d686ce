import type { Millis } from '../../src/model/ids.ts'
import { checkCore } from './core-progress.ts'
import { firstModel } from './edits.ts'
import { type Core, healAll, healCore } from './heal.ts'
import { rollOutSomethingNew, uncordonAll } from './operations.ts'
import { type Mode, type Narrowing, type Scenario, scenarioOf } from './scenario.ts'
import { NO_BUG, type Seams } from './seams.ts'
import { checkSettled } from './settled.ts'
import { Troubles } from './troubles.ts'
import type { Finding, Trouble } from './violation.ts'
import { World } from './world.ts'

export interface RunOptions extends Narrowing {
  readonly seed: number
  /** `safety` unless it is said. */
  readonly mode?: Mode
  readonly seams?: Seams
  readonly print?: (line: string) => void
}

export interface RunResult {
  readonly scenario: Scenario
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

/** Longer than any rollout with its deadline and its way back, or any run with its retries, takes once nothing disturbs. */
const SETTLE_WITHIN: Millis = 600_000
const LOOK_EVERY: Millis = 1_000

/** Runs one seed: troubles, then healing, then peace, or what peace a core can have. Equal options give an equal result. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const { seed, mode = 'safety', seams = NO_BUG, print = null, ...narrowing } = options
  const scenario = scenarioOf(seed, mode, narrowing)
  const world = new World({ ...scenario, seams, print })
  // Every signal that aborts makes an error, and a stack that nobody reads is a tenth of the time.
  const { stackTraceLimit } = Error
  if (print === null) Error.stackTraceLimit = 0
  const onRejection = (error: unknown) => world.broke('unhandled rejection', error)
  process.on('unhandledRejection', onRejection)
  try {
    const settledMs = await play(world, scenario)
    return {
      scenario,
      findings: world.findings.all,
      hash: world.trace.digest(),
      events: world.scheduler.events,
      simulatedMs: world.scheduler.now,
      settledMs,
      tail: world.trace.tail(),
    }
  } finally {
    process.off('unhandledRejection', onRejection)
    Error.stackTraceLimit = stackTraceLimit
  }
}

async function play(world: World, scenario: Scenario): Promise<Millis | null> {
  const rng = world.rng.fork('plan')
  world.git.commit(firstModel(rng.fork('model'), scenario.agents), 'first', world.wall())
  const maxDelayMs = rng.pick([5, 50, 500, 2000])
  for (const link of world.links()) link.maxDelayMs = maxDelayMs
  for (const node of [...world.controls, ...world.agents]) node.start()
  const troubles = new Troubles(world, rng.fork('troubles'))
  troubles.begin(scenario)
  await world.scheduler.runUntil(scenario.seconds * 1000, () => world.findings.any)
  troubles.end()
  if (world.findings.any) return null
  uncordonAll(world)
  if (scenario.mode === 'safety') {
    healAll(world)
    return settle(world, SETTLE_WITHIN, () => checkSettled(world))
  }
  const core = healCore(world, rng.fork('core'))
  return getOn(world, core)
}

/** The core is looked at once those who are silent are known to be so: what is placed before that may be placed on them. */
async function getOn(world: World, core: Core): Promise<Millis | null> {
  const from = world.scheduler.now
  await world.scheduler.runUntil(from + SUSPECT_AFTER, () => world.findings.any)
  rollOutSomethingNew(world)
  const settled = await settle(world, CORE_WITHIN, () => checkCore(world, core))
  return settled === null ? null : settled + SUSPECT_AFTER
}

/** After which silence an agent gets no new work. */
const SUSPECT_AFTER: Millis = 20_000
/**
 * 80 s until a half-open connection is given up (three pings), then three control planes to try, each with 10 s for an answer and
 * at most 30 s of back-off; all else is faster, and the rest of it is not spent: most cores take less than a minute.
 */
const CORE_WITHIN: Millis = 240_000

/** Looks until nothing is in trouble; what still is when time is up is a finding. */
async function settle(world: World, within: Millis, look: () => Promise<Trouble[]>): Promise<Millis | null> {
  const from = world.scheduler.now
  let troubles: readonly Trouble[] = []
  while (world.scheduler.now < from + within) {
    await world.scheduler.runUntil(world.scheduler.now + LOOK_EVERY, () => world.findings.any)
    if (world.findings.any) return null
    troubles = await look()
    if (troubles.length === 0) return world.scheduler.now - from
  }
  // What was stamped by a clock an hour ahead is due an hour late, and to watch so long finds no more.
  if (world.furthestAheadMs > within) world.note('what is owed to a clock that was ahead is not waited for')
  else for (const { invariant, message } of troubles) world.findings.report(invariant, message)
  return null
}
