import { z } from 'zod'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { imageOf } from './container-config.ts'
import type { Engine } from './engine.ts'
import { pullFailure, whenStatus } from './errors.ts'
import { ndjson } from './ndjson.ts'
import { createShared } from './shared.ts'

/** No pull takes longer, whatever the registry does. */
const PULL_DEADLINE: Millis = 30 * 60_000

export interface Images {
  /** The image is on this machine when it resolves, as the pull policy wants. @throws RetryableError, TerminalError */
  ensure(unit: UnitSpec, signal: AbortSignal): Promise<void>
}

export function createImages(engine: Engine, log: Logger): Images {
  const pulls = createShared((image: string, signal) => pull({ engine, log, image, signal }))
  return {
    async ensure(unit, signal) {
      const image = imageOf(unit)
      if (unit.imagePullPolicy !== 'Always' && (await isPresent(engine, image, signal))) return
      if (unit.imagePullPolicy === 'Never') {
        throw new TerminalError('ImageNotPresent', `image ${image} is not on this machine and imagePullPolicy is Never`)
      }
      await pulls.run(image, signal)
    },
  }
}

const isPresent = (engine: Engine, image: string, signal: AbortSignal): Promise<boolean> =>
  engine
    .get(`inspect image ${image}`, `/images/${image}/json`, { signal })
    .then(() => true)
    .catch(whenStatus([404], false))

interface Pull {
  readonly engine: Engine
  readonly log: Logger
  readonly image: string
  readonly signal: AbortSignal
}

async function pull({ engine, log, image, signal }: Pull): Promise<void> {
  log.info({ image }, 'pulling image')
  const deadline = AbortSignal.timeout(PULL_DEADLINE)
  try {
    const stream = await engine.streams.pull(image, { abortSignal: AbortSignal.any([signal, deadline]) })
    for await (const progress of ndjson(stream)) throwIfError(progress)
  } catch (error) {
    signal.throwIfAborted()
    throw pullFailure(deadline.aborted ? deadline.reason : error, image)
  }
  log.info({ image }, 'pulled image')
}

const PullError = z.object({ error: z.string() })

/** The engine answers 200 before it has pulled anything; what goes wrong later comes as a line of progress. */
function throwIfError(progress: unknown): void {
  const failed = PullError.safeParse(progress)
  if (failed.success) throw new Error(failed.data.error)
}
