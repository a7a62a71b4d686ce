import { noMachineFaults } from '../disk.ts'
import type { Rng } from '../rng.ts'
import { revive } from '../world.ts'
import type { Fault } from './fault.ts'
import { crash } from './processes.ts'

const machineTrouble: Fault = {
  name: 'machine-trouble',
  forMs: 20_000,
  begin(world, rng) {
    const { faults, id } = rng.pick(world.agents)
    const { crashAtStart } = faults
    Object.assign(faults, rng.pick([{ diskFull: true }, { flaky: 0.4 }, { maxDelayMs: 3000 }]))
    world.note(`FAULT ${id} has trouble with its disk or runtime`)
    return () => Object.assign(faults, noMachineFaults(), { crashAtStart })
  },
}

const loseDisk: Fault = {
  name: 'lost-state',
  forMs: 20_000,
  begin(world, rng) {
    const agent = rng.pick(world.agents)
    if (crash(world, agent) === null) return null
    world.note(`FAULT ${agent.id} loses its state directory`)
    agent.loseDisk()
    return () => revive(world, agent)
  },
}

/** The agent and all its tasks end together, and nobody tells. */
const reboot: Fault = {
  name: 'reboot',
  forMs: 20_000,
  begin(world, rng) {
    const agent = rng.pick(world.agents)
    if (crash(world, agent) === null) return null
    world.note(`FAULT ${agent.id} reboots`)
    agent.reboot()
    world.endAll(agent)
    return () => revive(world, agent)
  },
}

/** Most jumps are those of a clock that is put right; the others those of one that is put wrong. */
const jump = (rng: Rng): number => (rng.chance(0.5) ? rng.int(-30_000, 30_000) : rng.pick([-3_600_000, 3_600_000]))

const clockOf = (which: 'agents' | 'controls'): Fault => ({
  name: `clock-${which}`,
  forMs: 60_000,
  begin(world, rng) {
    const node = rng.pick<{ readonly clock: { jumpedMs: number } }>(world[which])
    node.clock.jumpedMs = jump(rng)
    world.furthestAheadMs = Math.max(world.furthestAheadMs, node.clock.jumpedMs)
    world.note(`FAULT a wall clock of ${which} jumps by ${node.clock.jumpedMs} ms`)
    return () => {
      node.clock.jumpedMs = 0
      world.note(`HEAL a wall clock of ${which} is right again`)
    }
  },
})

export const MACHINE_FAULTS: readonly Fault[] = [machineTrouble, loseDisk, reboot, clockOf('agents'), clockOf('controls')]
