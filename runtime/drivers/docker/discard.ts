import type { ContainerInspectInfo } from 'dockerode'
import type { Clock } from '../../../src/lib/clock.ts'
import { RetryableError } from '../../../src/lib/errors.ts'
import type { Engine } from './engine.ts'
import { whenStatus } from './errors.ts'
import { hasBegun } from './exit.ts'
import { ndjson } from './ndjson.ts'

/** `began`: it has begun after all, and is left as it is. `lost`: it had, and is gone. */
export type Discarded = 'discarded' | 'began' | 'lost'

export interface DiscardTools {
  readonly engine: Engine
  readonly clock: Clock
  readonly inspect: (id: string) => Promise<ContainerInspectInfo | null>
}

/** Removes containers that were not seen to begin, so that they never will. */
export function createDiscard({ engine, clock, inspect }: DiscardTools): (id: string, createdAt: string) => Promise<Discarded> {
  /** An order to start that an earlier agent sent may have been carried out between looking and removing; the daemon remembers. */
  async function startedSince(id: string, createdAt: string): Promise<boolean> {
    const span = { since: Math.floor(Date.parse(createdAt) / 1000), until: clock.now() / 1000 }
    const filters = { container: [id], event: ['start'] }
    return await engine.call(`read events of ${id}`, async (abortSignal) => {
      const stream = await engine.streams.getEvents({ ...span, filters, abortSignal })
      const first = await ndjson(stream).next()
      return first.done !== true
    })
  }

  async function afterRefusal(id: string): Promise<Discarded> {
    const info = await inspect(id)
    if (info === null) return 'discarded'
    if (hasBegun(info)) return 'began'
    throw new RetryableError(`container ${id} is ${info.State.Status} and cannot be removed yet`)
  }

  return async (id, createdAt) => {
    // Without force, so that one that runs by now is not killed.
    const refused = await engine
      .call(`discard container ${id}`, (abortSignal) => engine.docker.getContainer(id).remove({ v: true, abortSignal }))
      .then(() => false)
      .catch(whenStatus([404], false))
      .catch(whenStatus([409], true))
    if (refused) return await afterRefusal(id)
    return (await startedSince(id, createdAt)) ? 'lost' : 'discarded'
  }
}
