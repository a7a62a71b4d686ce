import type { Millis } from '../../src/model/ids.ts'
import { noMachineFaults } from './disk.ts'
import type { Rng } from './rng.ts'
import { noStoreFaults } from './sim-store.ts'
import { revive, type World } from './world.ts'

/** One kind of fault: begins, and says how it ends. */
export interface Fault {
  readonly name: string
  /** How long it lasts, at most. */
  readonly forMs: Millis
  begin(world: World, rng: Rng): (() => void) | null
}

function crashOf(which: 'agents' | 'controls'): Fault {
  return {
    name: `crash of ${which}`,
    forMs: 20_000,
    begin(world, rng) {
      const node = rng.pick<World['agents'][number] | World['controls'][number]>(world[which])
      const life = node.crash()
      if (life === null) return null
      world.note(`FAULT ${life.name} crashes`)
      world.network.crashed(life)
      return () => revive(world, node)
    },
  }
}

const pauseControl: Fault = {
  name: 'pause of controls',
  forMs: 15_000,
  begin(world, rng) {
    const { life } = rng.pick(world.controls)
    if (life === null) return null
    life.pausedUntil = world.scheduler.now + rng.int(500, 15_000)
    world.note(`FAULT ${life.name} is stopped for ${life.pausedUntil - world.scheduler.now} ms`)
    return null
  },
}

const cutLink: Fault = {
  name: 'cut of a link',
  forMs: 40_000,
  begin(world, rng) {
    const link = rng.pick(world.links())
    world.network.cut(link)
    world.note('FAULT a link is cut')
    return () => {
      link.cut = false
      world.note('HEAL a link is back')
    }
  },
}

const blip: Fault = {
  name: 'lost connection',
  forMs: 1,
  begin(world, rng) {
    const link = rng.pick(world.links())
    world.network.cut(link)
    world.note('FAULT a connection is lost')
    link.cut = false
    return null
  },
}

const stallLink: Fault = {
  name: 'one-way loss',
  forMs: 1,
  begin(world, rng) {
    const link = rng.pick(world.links())
    const direction = rng.pick(['toControl', 'toAgent'] as const)
    link.stalledUntil[direction] = world.scheduler.now + rng.int(500, 50_000)
    world.note(`FAULT frames ${direction} are held for ${link.stalledUntil[direction] - world.scheduler.now} ms`)
    return null
  },
}

const storeAway: Fault = {
  name: 'store away',
  forMs: 20_000,
  begin(world, rng) {
    const { faults, name } = rng.pick(world.controls)
    faults.unreachable = true
    world.note(`FAULT ${name} cannot reach the store`)
    return () => {
      faults.unreachable = false
      world.note(`HEAL ${name} reaches the store`)
    }
  },
}

const storeLossy: Fault = {
  name: 'lossy store',
  forMs: 20_000,
  begin(world, rng) {
    const { faults, name } = rng.pick(world.controls)
    Object.assign(faults, {
      loseReply: rng.next() * 0.3,
      arriveLate: rng.next() * 0.2,
      conflict: rng.next() * 0.05,
      maxDelayMs: rng.int(10, 800),
    })
    world.note(`FAULT ${name} has a lossy way to the store`)
    return () => {
      const { unreachable, crashAtCommit } = faults
      Object.assign(faults, noStoreFaults(), { unreachable, crashAtCommit })
    }
  },
}

const gitTrouble: Fault = {
  name: 'git trouble',
  forMs: 30_000,
  begin(world, rng) {
    const { faults } = world.git
    Object.assign(faults, rng.pick([{ down: true }, { slowMs: 4000 }, { failing: 0.4 }, { failing: 0.15 }]))
    world.note('FAULT git is in trouble')
    return () => Object.assign(faults, { down: false, slowMs: 20, failing: 0 })
  },
}

const machineTrouble: Fault = {
  name: 'machine trouble',
  forMs: 20_000,
  begin(world, rng) {
    const { faults, id } = rng.pick(world.agents)
    Object.assign(faults, rng.pick([{ diskFull: true }, { flaky: 0.4 }, { maxDelayMs: 3000 }]))
    world.note(`FAULT ${id} has trouble with its disk or runtime`)
    return () => Object.assign(faults, noMachineFaults())
  },
}

const loseDisk: Fault = {
  name: 'loss of a state directory',
  forMs: 20_000,
  begin(world, rng) {
    const agent = rng.pick(world.agents)
    const life = agent.crash()
    if (life === null) return null
    world.note(`FAULT ${life.name} loses its state directory`)
    world.network.crashed(life)
    agent.loseDisk()
    return () => revive(world, agent)
  },
}

const crashAtStart: Fault = {
  name: 'crash at a start',
  forMs: 20_000,
  begin(world, rng) {
    const { faults } = rng.pick(world.agents)
    faults.crashAtStart = true
    return () => {
      faults.crashAtStart = false
    }
  },
}

const crashAtCommit: Fault = {
  name: 'crash at a commit',
  forMs: 5_000,
  begin(world, rng) {
    const { faults } = rng.pick(world.controls)
    faults.crashAtCommit = true
    return () => {
      faults.crashAtCommit = false
    }
  },
}

export const FAULTS: readonly Fault[] = [
  crashOf('agents'),
  crashOf('controls'),
  pauseControl,
  cutLink,
  blip,
  stallLink,
  storeAway,
  storeLossy,
  gitTrouble,
  machineTrouble,
  loseDisk,
  crashAtStart,
  crashAtCommit,
]

/** Ends every fault at once, and starts what is down. */
export function healAll(world: World): void {
  world.note('HEAL everything')
  for (const link of world.links()) {
    link.cut = false
    link.stalledUntil.toAgent = 0
    link.stalledUntil.toControl = 0
  }
  for (const control of world.controls) {
    Object.assign(control.faults, noStoreFaults())
    if (control.life === null) control.start()
  }
  for (const agent of world.agents) {
    Object.assign(agent.faults, noMachineFaults())
    if (agent.life === null) agent.start()
  }
  Object.assign(world.git.faults, { down: false, slowMs: 20, failing: 0 })
}
