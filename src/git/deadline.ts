import { GitError } from './git-backend.ts'

export interface Deadline {
  /** Milliseconds of real time for this piece of I/O. */
  readonly ms: number
  readonly signal: AbortSignal
  /** For the message: what took too long. */
  readonly what: string
}

function aborted(signal: AbortSignal): { readonly promise: Promise<never>; readonly release: () => void } {
  let onAbort: () => void = () => undefined
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  return { promise, release: () => signal.removeEventListener('abort', onAbort) }
}

/**
 * Runs I/O that must end: by itself, by the caller's signal, or by the deadline.
 * @throws GitError `Timeout` after the deadline; the signal's reason when the caller gives up.
 */
export async function withDeadline<T>(deadline: Deadline, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  deadline.signal.throwIfAborted()
  const timeout = AbortSignal.timeout(deadline.ms)
  const signal = AbortSignal.any([deadline.signal, timeout])
  const end = aborted(signal)
  try {
    return await Promise.race([run(signal), end.promise])
  } catch (cause) {
    deadline.signal.throwIfAborted()
    if (timeout.aborted) throw new GitError('Timeout', `${deadline.what} took longer than ${deadline.ms} ms`, { cause })
    throw cause
  } finally {
    end.release()
  }
}
