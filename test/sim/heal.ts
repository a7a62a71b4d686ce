import { noMachineFaults } from './disk.ts'
import { crash, freeze } from './faults/processes.ts'
import { DIRECTIONS, type Direction } from './network.ts'
import type { Rng } from './rng.ts'
import { noStoreFaults } from './sim-store.ts'
import type { AgentNode, ControlNode, Machine, World } from './world.ts'

/** What works again for good, while the rest of the world stays broken. */
export interface Core {
  readonly controls: ReadonlySet<ControlNode>
  readonly agents: ReadonlySet<AgentNode>
}

/** Ends every fault at once, and starts what is down. */
export function healAll(world: World): Core {
  world.note('HEAL everything')
  for (const link of world.links()) world.network.heal(link)
  for (const control of world.controls) {
    Object.assign(control.faults, noStoreFaults())
    wake(control)
  }
  for (const agent of world.agents) {
    Object.assign(agent.faults, noMachineFaults())
    wake(agent)
  }
  Object.assign(world.git.faults, { down: false, slowMs: 20, failing: 0 })
  return { controls: new Set(world.controls), agents: new Set(world.agents) }
}

/** Its clock is right, and it runs. */
function wake(node: Machine): void {
  node.clock.jumpedMs = 0
  if (node.life === null) node.start()
  else node.life.pausedUntil = 0
}

/** Heals some control planes, about half the agents, the store and git; everything else is broken from now on and for ever. */
export function healCore(world: World, rng: Rng): Core {
  healAll(world)
  const core: Core = {
    controls: new Set(someOf(world.controls, rng.int(1, Math.max(1, world.controls.length - 1)), rng)),
    agents: new Set(someOf(world.agents, Math.ceil(world.agents.length / 2), rng)),
  }
  for (const control of world.controls) if (!core.controls.has(control)) rng.pick(CONTROL_FATES)(world, control, rng)
  for (const agent of world.agents) if (!core.agents.has(agent)) rng.pick(AGENT_FATES)(world, agent, rng)
  return core
}

function someOf<T>(all: readonly T[], count: number, rng: Rng): T[] {
  const left = [...all]
  return Array.from({ length: Math.min(count, all.length) }, () => left.splice(rng.int(0, left.length - 1), 1)[0] as T)
}

type Fate<N> = (world: World, node: N, rng: Rng) => void

const die: Fate<Machine> = (world, node) => {
  crash(world, node)
  world.bury(node)
}

/** It wakes for a moment, believes what it believed, and freezes again for longer than a lease. */
const freezeAgain: Fate<Machine> = (world, node, rng) => {
  const next = () => {
    freeze(world, node, rng.int(11_000, 25_000))
    world.scheduler.after(rng.int(26_000, 30_000), 'freezes again', { owner: null, run: next })
  }
  next()
}

const crashAgain: Fate<Machine> = (world, node, rng) => {
  const next = () => {
    if (crash(world, node) === null) node.start()
    world.scheduler.after(rng.int(1000, 15_000), 'crashes again', { owner: null, run: next })
  }
  next()
}

const cutFrom =
  (directions: readonly Direction[]): Fate<Machine> =>
  (world, node) => {
    world.note(`FAULT ${node.name} is cut off for ever`)
    for (const link of world.linksOf(node)) world.network.cut(link, directions)
  }

const cutFromStore: Fate<ControlNode> = (world, control) => {
  world.note(`FAULT ${control.name} never reaches the store again`)
  control.faults.unreachable = true
}

/** A one-way cut is the one that only a wait for nothing shows. */
const CUTS: readonly Fate<Machine>[] = [cutFrom(DIRECTIONS), ...DIRECTIONS.map((direction) => cutFrom([direction]))]
/** Each ends with it leading no more: one that can write and reaches nobody would go on leading, as with any leader by lease. */
const CONTROL_FATES: readonly Fate<ControlNode>[] = [die, freezeAgain, cutFromStore]
const AGENT_FATES: readonly Fate<AgentNode>[] = [die, die, freezeAgain, crashAgain, ...CUTS]
