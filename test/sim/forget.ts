import type { AgentNode } from './agent-node.ts'
import type { Operation } from './operations.ts'
import type { World } from './world.ts'
import { revive } from './world.ts'

const TRY_AGAIN_MS = 2000

/** A machine dies with all that ran on it, and is given up; later another is set up under its name, with its disk. */
export const forget: Operation = {
  name: 'forget',
  run(world, rng) {
    const agent = rng.pick(world.agents)
    const life = agent.crash()
    if (life === null) return
    world.note(`OP ${agent.id} dies, and is forgotten`)
    world.network.crashed(life)
    agent.reboot()
    world.endAll(agent)
    ask(world, (plane) => plane.forget(agent.id, { connected: 'Forget', actor: 'operator' }))
    world.scheduler.after(rng.int(1_000, 60_000), 'a machine returns', {
      owner: null,
      run: () => {
        revive(world, agent)
        untilAdmitted(world, agent)
      },
    })
  },
}

type Plane = NonNullable<World['controls'][number]['control']>['plane']

function ask(world: World, request: (plane: Plane) => Promise<unknown>): void {
  for (const { control, life } of world.controls) {
    if (control === null || life === null) continue
    Promise.resolve()
      .then(() => request(control.plane))
      .catch(() => undefined)
  }
}

function untilAdmitted(world: World, agent: AgentNode): void {
  if (!world.mirror.table('forgotten').has(agent.id)) return
  ask(world, (plane) => plane.admit(agent.id, 'operator'))
  world.scheduler.after(TRY_AGAIN_MS, 'admit', { owner: null, run: () => untilAdmitted(world, agent) })
}
