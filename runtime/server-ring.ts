import { messageOf, RetryableError } from '../src/lib/errors.ts'

/** The control plane is there, but is just choosing who leads: worth asking again in a moment, however often that was said. */
export class ComeBackSoon extends RetryableError {
  override name = 'ComeBackSoon'
}

/** Addresses of control planes. Any may be away, and each that stands by sends on to the leader. */
export interface ServerRing {
  /** Each address once, from the one after the last that was tried, until one answers. @throws what one of them refuses, else ComeBackSoon or RetryableError */
  reach<T>(dial: (url: string) => Promise<T>, signal: AbortSignal): Promise<T>
}

export function createServerRing(urls: readonly string[]): ServerRing {
  let next = 0
  const take = (): string => {
    const url = urls[next % urls.length] ?? ''
    next += 1
    return url
  }
  return {
    async reach(dial, signal) {
      const failures: unknown[] = []
      while (failures.length < urls.length) {
        try {
          return await dial(take())
        } catch (error) {
          if (signal.aborted) throw error
          failures.push(error)
        }
      }
      throw allFailed(failures)
    },
  }
}

/** A refusal by one is what a person must hear of, whatever the others lack. */
function allFailed(failures: readonly unknown[]): Error {
  const refused = failures.find((error): error is Error => error instanceof Error && !(error instanceof RetryableError))
  if (refused !== undefined) return refused
  const message = [...new Set(failures.map(messageOf))].join('; ')
  const cause = failures.at(-1)
  return failures.some((error) => error instanceof ComeBackSoon)
    ? new ComeBackSoon(message, { cause })
    : new RetryableError(message, { cause })
}
