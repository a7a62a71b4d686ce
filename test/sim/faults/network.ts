import { DIRECTIONS, type Link } from '../network.ts'
import type { World } from '../world.ts'
import type { Fault } from './fault.ts'

/** Neither side hears more of the other over these, until it is healed. */
function cutAll(world: World, links: readonly Link[], what: string): () => void {
  for (const link of links) world.network.cut(link, DIRECTIONS)
  world.note(`FAULT ${what} is cut off`)
  return () => {
    for (const link of links) world.network.heal(link)
    world.note(`HEAL ${what} is reached again`)
  }
}

const cutLink: Fault = {
  name: 'cut-link',
  forMs: 40_000,
  begin: (world, rng) => cutAll(world, [rng.pick(world.links())], 'a link'),
}

/** Long enough that its tasks count as unknown, and as lost where their workload says so. */
const lostAgent: Fault = {
  name: 'cut-agent',
  forMs: 110_000,
  begin(world, rng) {
    const agent = rng.pick(world.agents)
    return cutAll(world, world.linksOf(agent), agent.id)
  },
}

/** It leads maybe, and writes, and no agent hears of it. */
const lostControl: Fault = {
  name: 'cut-control',
  forMs: 30_000,
  begin(world, rng) {
    const control = rng.pick(world.controls)
    return cutAll(world, world.linksOf(control), control.name)
  },
}

/** What is on its way in that direction never arrives, and each side learns only from missing pongs. */
const oneWay: Fault = {
  name: 'one-way-cut',
  forMs: 90_000,
  begin(world, rng) {
    const link = rng.pick(world.links())
    const direction = rng.pick(DIRECTIONS)
    world.network.cut(link, [direction])
    world.note(`FAULT nothing comes ${direction} over a link`)
    return () => {
      world.network.heal(link)
      world.note(`HEAL frames come ${direction} again`)
    }
  },
}

const blip: Fault = {
  name: 'lost-connection',
  forMs: 1,
  begin(world, rng) {
    const link = rng.pick(world.links())
    world.network.cut(link, DIRECTIONS)
    world.network.heal(link)
    world.note('FAULT a connection is lost')
    return null
  },
}

/** Packets are lost and sent again: everything of one direction comes late, and in order. */
const stalled: Fault = {
  name: 'stalled-link',
  forMs: 1,
  begin(world, rng) {
    const link = rng.pick(world.links())
    const direction = rng.pick(DIRECTIONS)
    link.stalledUntil[direction] = world.scheduler.now + rng.int(500, 50_000)
    world.note(`FAULT frames ${direction} are held for ${link.stalledUntil[direction] - world.scheduler.now} ms`)
    return null
  },
}

export const NETWORK_FAULTS: readonly Fault[] = [cutLink, lostAgent, lostControl, oneWay, blip, stalled]
