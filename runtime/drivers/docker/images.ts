import { z } from 'zod'
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import type { Logger } from '../../../src/lib/log.ts'
import type { Millis } from '../../../src/model/ids.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { createShared } from '../../shared.ts'
import { imageOf } from './container-config.ts'
import type { Engine } from './engine.ts'
import { pullFailure, whenStatus } from './errors.ts'
import { type ImageIdentity, isDigestReference, lastingReference } from './image-reference.ts'
import { ndjson } from './ndjson.ts'

/** No pull takes longer, whatever the registry does. */
const PULL_DEADLINE: Millis = 30 * 60_000

export interface Images {
  /**
   * The image is on this machine when it resolves: the very one that is pinned, else what the pull policy wants.
   * @returns the reference by which this very image can be had again
   * @throws RetryableError, TerminalError
   */
  ensure(unit: UnitSpec, signal: AbortSignal): Promise<string>
}

export function createImages(engine: Engine, log: Logger): Images {
  const pulls = createShared<void>()
  const pullOnce = (image: string, signal: AbortSignal): Promise<void> =>
    pulls.run(image, (until) => pull({ engine, log, image, signal: until }), signal)

  async function ensurePinned(pinned: string, unit: UnitSpec, signal: AbortSignal): Promise<string> {
    if ((await inspect(engine, pinned, signal)) !== null) return pinned
    if (!isDigestReference(pinned)) {
      throw new TerminalError(
        'ImageNotPresent',
        `the very image that ran as ${unit.image ?? unit.name}, ${pinned}, is gone from this machine`,
      )
    }
    if (unit.imagePullPolicy === 'Never') throw forbidden(pinned)
    await pullOnce(pinned, signal)
    return pinned
  }

  async function ensureByPolicy(unit: UnitSpec, signal: AbortSignal): Promise<string> {
    const image = imageOf(unit)
    const found = unit.imagePullPolicy === 'Always' ? null : await inspect(engine, image, signal)
    if (found !== null) return lastingReference(image, found)
    if (unit.imagePullPolicy === 'Never') throw forbidden(image)
    await pullOnce(image, signal)
    const pulled = await inspect(engine, image, signal)
    if (pulled === null) throw new RetryableError(`image ${image} was pulled, and is gone again`)
    return lastingReference(image, pulled)
  }

  return {
    ensure: (unit, signal) => (unit.pinned === undefined ? ensureByPolicy(unit, signal) : ensurePinned(imageOf(unit), unit, signal)),
  }
}

const forbidden = (image: string): TerminalError =>
  new TerminalError('ImageNotPresent', `image ${image} is not on this machine and imagePullPolicy is Never`)

const Inspected = z.object({ Id: z.string(), RepoDigests: z.array(z.string()).nullish() })

/** Null when it is not on this machine. */
async function inspect(engine: Engine, image: string, signal: AbortSignal): Promise<ImageIdentity | null> {
  const found = await engine.get(`inspect image ${image}`, `/images/${image}/json`, { signal }).catch(whenStatus([404], null))
  return found === null ? null : Inspected.parse(found)
}

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
