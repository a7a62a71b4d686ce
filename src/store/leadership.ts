import type { Clock } from '../lib/clock.ts'
import { messageOf, TerminalError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Millis } from '../model/ids.ts'
import type { Fence, Leadership } from './store.ts'

/** The lease is gone for good; renewing again cannot help. */
export class LeaseLostError extends Error {
  override name = 'LeaseLostError'
}

/** 10 s, the promise of the design: a new leader acts within TTL + 2 s. */
export const DEFAULT_LEASE_TTL_MS = 10_000
/** A leader stops acting at 0.66 TTL, so its clock may be a third slower than the store's. */
const VALID_FRACTION = 0.66
const RENEWALS_PER_TTL = 3
const DEADLINES_PER_TTL = 5
const RETRIES_PER_TTL = 20

export interface LeaseTerms {
  readonly fence: Fence
  readonly clock: Clock
  readonly log: Logger
  readonly ttlMs: Millis
  /** Monotonic time before the request that granted the lease was sent. */
  readonly grantedAt: Millis
  /** @throws LeaseLostError when it is gone for good, TerminalError when the store is; after any other error it is tried again. */
  renew(timeoutMs: Millis): Promise<void>
  /** Lets others lead at once. */
  release(): Promise<void>
}

/** Keeps a lease alive, and reports its end before the store can give it to another. */
export function lead(terms: LeaseTerms): Leadership {
  const ended = new AbortController()
  const lease = { validUntil: terms.grantedAt + VALID_FRACTION * terms.ttlMs }
  const renewing = keepRenewing(terms, lease, ended.signal).then(
    (cause) => ended.abort(cause),
    (error: unknown) => ended.abort(error),
  )
  const released = renewing.then(() => releaseQuietly(terms))
  return {
    fence: terms.fence,
    validUntil: () => (ended.signal.aborted ? Number.NEGATIVE_INFINITY : lease.validUntil),
    signal: ended.signal,
    resign: async () => {
      ended.abort(new LeaseLostError('leadership was given up'))
      await released
    },
  }
}

/** Returns why it ended. */
async function keepRenewing(terms: LeaseTerms, lease: { validUntil: Millis }, ended: AbortSignal): Promise<unknown> {
  const { clock, ttlMs } = terms
  let pause = ttlMs / RENEWALS_PER_TTL
  for (;;) {
    await clock.sleep(pause, ended)
    const sentAt = clock.monotonic()
    const failure = await renewOnce(terms, lease.validUntil - sentAt)
    if (failure === null) {
      lease.validUntil = sentAt + VALID_FRACTION * ttlMs
      pause = ttlMs / RENEWALS_PER_TTL
      continue
    }
    if (ended.aborted) return ended.reason
    terms.log.warn({ key: terms.fence.key, epoch: terms.fence.epoch, error: messageOf(failure) }, 'lease renewal failed')
    const left = lease.validUntil - clock.monotonic()
    if (failure instanceof LeaseLostError || failure instanceof TerminalError || left <= 0) return failure
    pause = Math.min(ttlMs / RETRIES_PER_TTL, left)
  }
}

/** A leader that slept past its validity still gets one full try: the lease may have survived. */
async function renewOnce(terms: LeaseTerms, left: Millis): Promise<unknown> {
  const timeout = terms.ttlMs / DEADLINES_PER_TTL
  try {
    await terms.renew(left > 0 ? Math.min(timeout, left) : timeout)
    return null
  } catch (error) {
    return error
  }
}

async function releaseQuietly({ release, log, fence }: LeaseTerms): Promise<void> {
  try {
    await release()
  } catch (error) {
    log.warn({ key: fence.key, epoch: fence.epoch, error: messageOf(error) }, 'lease not released; it will expire')
  }
}
