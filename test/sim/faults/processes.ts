import type { Rng } from '../rng.ts'
import { type Machine, revive, type World } from '../world.ts'
import type { Fault } from './fault.ts'

/** The process dies; what it had asked of disk, store and machine is done or not. Null: it is down already. */
export function crash(world: World, node: Machine): Machine | null {
  const life = node.crash()
  if (life === null) return null
  world.note(`FAULT ${life.name} crashes`)
  world.network.crashed(life)
  return node
}

/** It gets no time for so long, and then goes on as if nothing had been. */
export function freeze(world: World, { life }: Machine, ms: number): void {
  if (life === null) return
  life.pausedUntil = world.scheduler.now + ms
  world.note(`FAULT ${life.name} is stopped for ${ms} ms`)
}

const crashOf = (which: 'agents' | 'controls'): Fault => ({
  name: `crash-${which}`,
  forMs: 20_000,
  begin(world, rng) {
    const node = crash(world, rng.pick<Machine>(world[which]))
    return node === null ? null : () => revive(world, node)
  },
})

const pauseOf = (which: 'agents' | 'controls', longestMs: number): Fault => ({
  name: `pause-${which}`,
  forMs: longestMs,
  begin(world, rng: Rng) {
    freeze(world, rng.pick<Machine>(world[which]), rng.int(500, longestMs))
    return null
  },
})

/** All at once, as when the power fails or a new version is rolled out in a hurry. */
const crashAll: Fault = {
  name: 'crash-all-controls',
  forMs: 10_000,
  begin(world) {
    const down = world.controls.flatMap((node) => crash(world, node) ?? [])
    return () => {
      for (const node of down) revive(world, node)
    }
  },
}

const crashAtCommit: Fault = {
  name: 'crash-at-commit',
  forMs: 5_000,
  begin(world, rng) {
    const { faults } = rng.pick(world.controls)
    faults.crashAtCommit = true
    return () => {
      faults.crashAtCommit = false
    }
  },
}

const crashAtStart: Fault = {
  name: 'crash-at-start',
  forMs: 20_000,
  begin(world, rng) {
    const { faults } = rng.pick(world.agents)
    faults.crashAtStart = true
    return () => {
      faults.crashAtStart = false
    }
  },
}

/** A frozen agent is silent for long enough to be unreachable; a frozen leader for longer than its lease. */
export const PROCESS_FAULTS: readonly Fault[] = [
  crashOf('agents'),
  crashOf('controls'),
  crashAll,
  pauseOf('agents', 60_000),
  pauseOf('controls', 15_000),
  crashAtStart,
  crashAtCommit,
]
