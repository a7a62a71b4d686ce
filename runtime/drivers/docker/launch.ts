import type { ContainerInspectInfo } from 'dockerode'
import { RetryableError, TerminalError } from '../../../src/lib/errors.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef, Driver, Handle, Prepared } from '../../driver.ts'
import type { Attempts, Mark } from './attempts.ts'
import { containerConfig, imageOf, onlyUnit } from './container-config.ts'
import type { Containers } from './containers.ts'
import { startFailure, statusOf } from './errors.ts'
import { hasBegun } from './exit.ts'
import { mountsOf } from './mounts.ts'
import type { Identity } from './names.ts'
import { NETWORK, type Network } from './network.ts'

export interface LaunchTools {
  readonly identity: Identity
  readonly containers: Containers
  readonly attempts: Attempts
  readonly network: Network
  /** Why a container that was started did not get to its program; null when it did. */
  readonly programFailure: (id: string) => Promise<string | null>
}

export interface LaunchOrder {
  readonly ref: AttemptRef
  readonly spec: TaskSpec
  readonly prepared: Prepared
}

/** A container that was removed under us is made again this often. */
const TRIES = 3

const handleOf = ({ task, attempt }: AttemptRef, id: string): Handle => ({ task, attempt, ref: id })

/**
 * Starts the container of an attempt at most once, whatever was cut short before:
 * the mark goes to disk before the order to start, and what has once begun is only ever adopted.
 * Calls for one attempt must not overlap.
 */
export async function launch(tools: LaunchTools, order: LaunchOrder): Promise<Handle> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const mark = await tools.attempts.mark(order.ref)
    const fresh = mark === 'none' ? await create(tools, order) : null
    if (fresh !== null) return await startFresh(tools, order.ref, fresh)
    const found = await findEarlier(tools, order.ref, mark)
    if (found !== null && hasBegun(found)) return handleOf(order.ref, found.Id)
    if (found !== null && mark === 'none') return await startFresh(tools, order.ref, found.Id)
    if (found !== null) await discardEarlier(tools, order.ref, found)
  }
  throw new RetryableError('the container is made and removed again by somebody else')
}

/** @throws TerminalError when the attempt must not start any more */
async function findEarlier({ containers }: LaunchTools, ref: AttemptRef, mark: Mark): Promise<ContainerInspectInfo | null> {
  if (mark === 'abandoned') throw new TerminalError('AttemptAbandoned', `attempt ${ref.attempt} was given up before it started`)
  const found = await containers.find(ref)
  if (found !== null || mark === 'none') return found
  throw new TerminalError('RemovedExternally', `attempt ${ref.attempt} was told to start, and its container is gone`)
}

/** An order to start it may still be under way, so this very container must never run: the next has another id. */
async function discardEarlier({ attempts, containers }: LaunchTools, ref: AttemptRef, found: ContainerInspectInfo): Promise<void> {
  const outcome = await containers.discard(found.Id, found.Created)
  if (outcome === 'lost') throw new TerminalError('LostUnknownExit', `attempt ${ref.attempt} ran, and its exit is lost`)
  if (outcome === 'discarded') await attempts.setMark(ref, 'none')
}

/** Null: there is one by now, from an order whose answer was lost. */
async function create(tools: LaunchTools, { ref, spec, prepared }: LaunchOrder): Promise<string | null> {
  const { attempts, containers, identity, network } = tools
  const unit = onlyUnit(spec)
  await attempts.folder(ref)
  const mounts = await mountsOf(unit, { attempts, ref, spec, prepared })
  if (!spec.hostNetwork) await network.ensure()
  try {
    return await containers.create(containerConfig({ identity, ref, spec, mounts, secrets: prepared.secrets, network: NETWORK }))
  } catch (error) {
    if (statusOf(error) !== 404) throw statusOf(error) === null ? error : startFailure(error)
    const absent = `image ${imageOf(unit)} is not on this machine any more`
    throw unit.imagePullPolicy === 'Never' ? new TerminalError('ImageNotPresent', absent) : new RetryableError(absent, { cause: error })
  }
}

async function startFresh(tools: LaunchTools, ref: AttemptRef, id: string): Promise<Handle> {
  await tools.attempts.setMark(ref, 'intended')
  try {
    await tools.containers.start(id)
  } catch (error) {
    // Without an answer nobody knows; the container stays, and a repeat looks at it.
    if (statusOf(error) === null) throw error
    if (await hasBegunAfterAll(tools, ref, id)) return handleOf(ref, id)
    const failure = startFailure(error)
    if (failure instanceof RetryableError) {
      tools.network.forget()
      await tools.attempts.setMark(ref, 'none')
    }
    throw failure
  }
  await refuseFailedProgram(tools, id)
  return handleOf(ref, id)
}

async function refuseFailedProgram({ containers, programFailure }: LaunchTools, id: string): Promise<void> {
  const failure = await programFailure(id)
  if (failure === null) return
  await containers.remove(id)
  throw new TerminalError('StartFailed', `it could not be started: ${failure}`)
}

/** Leaves no container behind that did not start. */
async function hasBegunAfterAll({ containers }: LaunchTools, ref: AttemptRef, id: string): Promise<boolean> {
  const info = await containers.inspect(id)
  if (info === null) throw new TerminalError('RemovedExternally', `attempt ${ref.attempt} was removed while it started`)
  return hasBegun(info) || (await containers.discard(id, info.Created)) === 'began'
}

/** What became of an attempt whose agent died, or whose start was cut short. `never-started` is made true before it is said. */
export async function recoverAttempt(tools: LaunchTools, ref: AttemptRef): ReturnType<Driver['recover']> {
  const { attempts, containers } = tools
  const mark = await attempts.mark(ref)
  if (mark === 'abandoned') return { state: 'never-started' }
  const found = await containers.find(ref)
  if (found === null && mark === 'intended') return { state: 'gone' }
  if (found !== null) {
    const outcome = hasBegun(found) ? 'began' : await containers.discard(found.Id, found.Created)
    if (outcome === 'began') return { state: 'attached', handle: handleOf(ref, found.Id) }
    if (outcome === 'lost') return { state: 'gone' }
  }
  await attempts.setMark(ref, 'abandoned')
  return { state: 'never-started' }
}

export interface RemoveTools extends Pick<LaunchTools, 'attempts' | 'containers'> {
  /** Whatever remembers something about containers. */
  readonly noted: readonly { forget(id: string): void }[]
}

/** Every trace of it; already gone is success, and what is not ours is left alone. */
export async function removeAttempt({ attempts, containers, noted }: RemoveTools, ref: AttemptRef): Promise<void> {
  const found = await containers.find(ref).catch((error: unknown) => {
    if (error instanceof TerminalError && error.code === 'NameConflict') return null
    throw error
  })
  if (found !== null) {
    await containers.remove(found.Id)
    for (const one of noted) one.forget(found.Id)
  }
  await attempts.remove(ref)
}
