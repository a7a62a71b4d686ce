import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode'
import type { Clock } from '../../../src/lib/clock.ts'
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import type { AttemptRef } from '../../driver.ts'
import { createDiscard, type Discarded } from './discard.ts'
import type { Engine } from './engine.ts'
import { whenStatus } from './errors.ts'
import { containerName, type Identity, isOurs, labelFilter, labelFilterOf, refOfLabels } from './names.ts'

/** The engine's containers, in Drover's words. Every call may throw RetryableError or TerminalError. */
export interface Containers {
  /** By id; null when it is gone. */
  inspect(id: string): Promise<ContainerInspectInfo | null>
  /** The attempt's own, by its name or, if somebody gave it another, by its labels; null when there is none. @throws TerminalError when a stranger has the name */
  find(ref: AttemptRef): Promise<ContainerInspectInfo | null>
  /** Null: there is one of that name already. */
  create(config: ContainerCreateOptions): Promise<string | null>
  /** @throws with the engine's answer as cause */
  start(id: string): Promise<void>
  /** Removes one that was not seen to begin. */
  discard(id: string, createdAt: string): Promise<Discarded>
  /** Kills and removes. */
  remove(id: string): Promise<void>
  owned(): Promise<AttemptRef[]>
}

export interface ContainersOptions {
  readonly engine: Engine
  readonly identity: Identity
  readonly clock: Clock
}

export function createContainers({ engine, identity, clock }: ContainersOptions): Containers {
  const { docker } = engine

  const inspect = (id: string): Promise<ContainerInspectInfo | null> =>
    engine.call(`inspect container ${id}`, (abortSignal) => docker.getContainer(id).inspect({ abortSignal })).catch(whenStatus([404], null))

  /** Names can be changed under us, labels cannot. */
  async function findRenamed(ref: AttemptRef): Promise<ContainerInspectInfo | null> {
    const filters = { label: labelFilterOf(identity, ref) }
    const found = await engine.call('list containers', (abortSignal) => docker.listContainers({ all: true, filters, abortSignal }))
    return found[0] === undefined ? null : await inspect(found[0].Id)
  }

  return {
    inspect,
    async find(ref) {
      const name = containerName(identity, ref)
      const info = (await inspect(name)) ?? (await findRenamed(ref))
      if (info === null || isOurs(identity, ref, info.Config.Labels)) return info
      throw new TerminalError('NameConflict', `a container named ${name} is there that is not Drover's`)
    },
    create: (config) =>
      engine
        .call(`create container ${config.name}`, (abortSignal) => docker.createContainer({ ...config, abortSignal }), { deadline: 'start' })
        .then(({ id }): string | null => id)
        .catch(whenStatus([409], null)),
    start: (id) =>
      engine
        .call(`start container ${id}`, (abortSignal) => docker.getContainer(id).start({ abortSignal }), { deadline: 'start' })
        .catch(whenStatus([304], undefined)),
    discard: createDiscard({ engine, clock, inspect }),
    remove: (id) =>
      engine
        .call(`remove container ${id}`, (abortSignal) => docker.getContainer(id).remove({ force: true, v: true, abortSignal }), {
          extraMs: 20_000,
        })
        .catch(whenStatus([404], undefined))
        .catch(async (error: unknown) => {
          if (whenStatus([409], true)(error) && (await inspect(id)) !== null)
            throw new RetryableError(`container ${id} is being removed already`, { cause: error })
        }),
    async owned() {
      const filters = { label: labelFilter(identity) }
      const all = await engine.call('list containers', (abortSignal) => docker.listContainers({ all: true, filters, abortSignal }))
      return all.flatMap(({ Labels }) => refOfLabels(Labels) ?? [])
    },
  }
}
