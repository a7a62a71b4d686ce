import { messageOf } from '../../src/lib/errors.ts'
import type { WorkloadKind } from '../../src/model/ids.ts'
import { DELETER, RETRIER } from './checkers/desired.ts'
import { APP } from './control-node.ts'
import { changeImage, EDITS, type Edit, newWorkload } from './edits.ts'
import { forget } from './forget.ts'
import { keyOf, type WorkloadModel } from './manifests.ts'
import { createRng, type Rng } from './rng.ts'
import type { World } from './world.ts'

export interface Operation {
  readonly name: string
  run(world: World, rng: Rng): void
}

/** What a core is to run that heard of it only after it was healed. */
export const NEW_WORKLOAD = 'zebra'

/** Git asks for something new, and for nothing that cannot be. */
export function rollOutSomethingNew(world: World): void {
  const { git } = world
  const { model } = git
  const plain = { ...newWorkload(NEW_WORKLOAD, createRng(1)), kind: 'Deployment', mode: 'Replicated', replicas: 2 } as const
  const fresh: WorkloadModel = { ...plain, canary: null, script: null, ships: false, probed: false, dependsOn: [], after: [] }
  const workloads = new Map(model.workloads).set(keyOf(fresh), fresh)
  git.commit({ ...model, workloads, broken: new Map(), folder: 'Present', atomic: false }, 'something new', world.wall())
}

function commit(name: string, edit: Edit): Operation {
  return {
    name: `commit-${name}`,
    run(world, rng) {
      const { info } = world.git.commit(edit(world.git.model, rng), name, world.wall())
      world.note(`OP commit ${name} ${info.oid.slice(0, 8)}`)
    },
  }
}

const revert: Operation = {
  name: 'revert',
  run(world) {
    const before = world.git.branch.at(-2)
    if (before === undefined) return
    world.git.commit(before.model, 'revert', world.wall())
    world.note(`OP revert to what ${before.info.oid.slice(0, 8)} said`)
  },
}

const forcePush: Operation = {
  name: 'force-push',
  run(world, rng) {
    world.git.forceBack(rng.int(1, 3))
    if (rng.chance(0.5)) world.git.commit(changeImage(world.git.model, rng), 'forced', world.wall())
    world.note(`OP force-push, head is ${world.git.head.info.oid.slice(0, 8)}`)
  },
}

/** Asks every living control plane; those that do not lead refuse, as over HTTP. */
function ask(
  world: World,
  what: string,
  request: (plane: NonNullable<World['controls'][number]['control']>['plane']) => Promise<unknown>,
): void {
  for (const { name, control, life } of world.controls) {
    if (control === null || life === null) continue
    world.note(`OP ${what} at ${name}`)
    attempt(() => request(control.plane)).then(
      () => world.note(`${name}: ${what} done`),
      (error: unknown) => world.note(`${name}: ${what} refused: ${messageOf(error)}`),
    )
  }
}

async function attempt(request: () => Promise<unknown>): Promise<unknown> {
  return await request()
}

const rollback: Operation = {
  name: 'rollback',
  run(world, rng) {
    const draw = rng.next()
    ask(world, 'rollback', (plane) => {
      const history = plane.history(APP)
      const target = history[Math.floor(draw * history.length)]
      return plane.rollback(APP, { to: String(target?.id ?? 1), revert: 'No', actor: 'operator' })
    })
  },
}

const sync: Operation = {
  name: 'sync',
  run: (world) =>
    ask(world, 'sync', (plane) => plane.sync(APP, { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'operator' })),
}

const syncDelete: Operation = {
  name: 'sync-allow-delete',
  run: (world) =>
    ask(world, 'sync --allow-delete', (plane) => plane.sync(APP, { allowDelete: 'Any', plan: null, retry: 'No', actor: DELETER })),
}

/** Tries what automatic rollbacks hold once more. */
const retry: Operation = {
  name: 'sync-retry',
  run: (world) =>
    ask(world, 'sync --retry', (plane) =>
      plane.sync(APP, { allowDelete: 'WithinBudget', plan: null, retry: 'Quarantined', actor: RETRIER }),
    ),
}

function speak(verb: 'promote' | 'abort'): Operation {
  return {
    name: verb,
    run(world, rng) {
      const draw = rng.next()
      ask(world, verb, (plane) => {
        const deployments = plane.workloads().filter(({ kind }) => kind === 'Deployment')
        const name = deployments[Math.floor(draw * deployments.length)]?.name ?? 'none'
        return plane[verb]({ namespace: 'default', kind: 'Deployment', name }, 'operator')
      })
    },
  }
}

/** `drover run job/x` or `cronjob/x`, and now and then a run again. */
const runByHand: Operation = {
  name: 'run-by-hand',
  run(world, rng) {
    const draw = rng.next()
    const again = rng.chance(0.3)
    const oneOf = <T>(all: readonly T[]): T | undefined => all[Math.floor(draw * all.length)]
    ask(world, again ? 'run again' : 'run', async (plane) => {
      const [job, run] = [oneOf(plane.workloads().filter(({ kind }) => kind !== 'Deployment')), oneOf(plane.runs())]
      if (again && run !== undefined) return plane.rerun(run.id, 'operator')
      return plane.run({ namespace: 'default', kind: (job?.kind ?? 'Job') as WorkloadKind, name: job?.name ?? 'none' }, 'operator')
    })
  },
}

/** Takes a machine out of service or back; one that is drained gives its batch tasks a minute. */
const maintain: Operation = {
  name: 'maintain',
  run(world, rng) {
    const { id } = rng.pick(world.agents)
    const verb = rng.pick(['cordon', 'uncordon', 'uncordon', 'drain'] as const)
    ask(world, `${verb} ${id}`, async (plane) =>
      plane.maintain(id, verb === 'drain' ? { verb, deadlineSeconds: 60, actor: 'operator' } : { verb, actor: 'operator' }),
    )
  },
}

/** Every machine is in service again: asked of whoever leads, until it is so. */
export function uncordonAll(world: World): void {
  const { mirror, agents, scheduler } = world
  const next = () => {
    const out = agents.filter(({ id }) => mirror.table('agents').get(id)?.maintenance != null)
    for (const { id } of out) ask(world, `uncordon ${id}`, async (plane) => plane.maintain(id, { verb: 'uncordon', actor: 'operator' }))
    if (out.length > 0) scheduler.after(UNCORDON_EVERY_MS, 'uncordon', { owner: null, run: next })
  }
  next()
}

const UNCORDON_EVERY_MS = 2000

export const OPERATIONS: readonly Operation[] = [
  ...Object.entries(EDITS).map(([name, edit]) => commit(name, edit)),
  revert,
  forcePush,
  rollback,
  sync,
  syncDelete,
  retry,
  speak('promote'),
  speak('abort'),
  runByHand,
  maintain,
  forget,
]

/** How often each is chosen before swarm testing thins them out; what is not named counts 1. */
export const WEIGHTS: Readonly<Record<string, number>> = {
  'commit-image': 5,
  'commit-replicas': 3,
  'commit-script': 2,
  'commit-add': 2,
  'commit-mend': 3,
  'commit-after': 2,
  rollback: 2,
  promote: 2,
  'run-by-hand': 3,
}
