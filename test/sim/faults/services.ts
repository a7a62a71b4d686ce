import { noStoreFaults } from '../sim-store.ts'
import type { Fault } from './fault.ts'

const storeAway: Fault = {
  name: 'store-away',
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

/** For everybody, as without a quorum. */
const storeDown: Fault = {
  name: 'store-down',
  forMs: 40_000,
  begin(world) {
    for (const { faults } of world.controls) faults.unreachable = true
    world.note('FAULT the store is down')
    return () => {
      for (const { faults } of world.controls) faults.unreachable = false
      world.note('HEAL the store is back')
    }
  },
}

const storeLossy: Fault = {
  name: 'lossy-store',
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
  name: 'git-trouble',
  forMs: 30_000,
  begin(world, rng) {
    const { faults } = world.git
    Object.assign(faults, rng.pick([{ down: true }, { slowMs: 4000 }, { failing: 0.4 }, { failing: 0.15 }]))
    world.note('FAULT git is in trouble')
    return () => Object.assign(faults, { down: false, slowMs: 20, failing: 0 })
  },
}

export const SERVICE_FAULTS: readonly Fault[] = [storeAway, storeDown, storeLossy, gitTrouble]
