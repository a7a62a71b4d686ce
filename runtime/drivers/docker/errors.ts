import { messageOf, RetryableError, TerminalError } from '../../../src/lib/errors.ts'

/**
 * What an engine's failure means for the caller, at one place: no answer at all and 5xx may pass, 4xx will not.
 * The failure itself stays as `cause`, where `statusOf` finds its code.
 */
export function engineError(error: unknown, what: string): RetryableError | TerminalError {
  if (error instanceof RetryableError || error instanceof TerminalError) return error
  const status = statusOf(error)
  const text = `cannot ${what}: ${reasonOf(error)}`
  if (status === null) return new RetryableError(`Docker did not answer, ${text}`, { cause: error })
  if (status >= 500) return new RetryableError(`Docker failed, ${text}`, { cause: error })
  return new TerminalError('RuntimeRefused', `Docker refused, ${text}`, { cause: error })
}

/** HTTP status of the engine's answer; null when there was none. Looks into causes. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof Error)) return null
  if ('statusCode' in error && typeof error.statusCode === 'number') return error.statusCode
  return statusOf(error.cause)
}

/** What the engine itself said, without dockerode's wrapping. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return messageOf(error)
  if (error.cause instanceof Error) return reasonOf(error.cause)
  const json = 'json' in error ? error.json : null
  if (json !== null && typeof json === 'object' && 'message' in json && typeof json.message === 'string') return json.message
  return error.message
}

/** For `catch`: these answers stand for `value`, all others are thrown on. */
export const whenStatus =
  <T>(statuses: readonly number[], value: T) =>
  (error: unknown): T => {
    if (statuses.includes(statusOf(error) ?? 0)) return value
    throw error
  }

/** First match decides; seen on Docker 20.10, the texts come from libnetwork, runc and containerd. */
const START_FAILURES: readonly (readonly [RegExp, string | null])[] = [
  // Null: it may work next time, for the daemon and not the task is at fault.
  [/deadline exceeded|transport is closing|connection error|shutting down|Unavailable|network .* not found/i, null],
  [/port is already allocated|address already in use/i, 'PortInUse'],
  [/executable file not found|no such file or directory|not a directory|permission denied|exec format error/i, 'StartFailed'],
  [/no matching entries in passwd|unable to find user|unable to find group/i, 'UserNotFound'],
  [/no space left on device/i, 'DiskFull'],
]

/** Why a start that the engine answered with an error failed. */
export function startFailure(error: unknown): RetryableError | TerminalError {
  const reason = reasonOf(error)
  const [, code] = START_FAILURES.find(([pattern]) => pattern.test(reason)) ?? [null, 'StartFailed']
  if (code === null) return new RetryableError(`Docker could not start it now: ${reason}`, { cause: error })
  return new TerminalError(code, `it could not be started: ${reason}`, { cause: error })
}

/** Registries hide what may not be seen behind "not found" and the other way round, so both are one reason. */
const NOT_FOUND = /not found|denied|unauthorized|manifest unknown|no basic auth|does not exist|no matching manifest|forbidden/i

/** Why a pull failed: by HTTP status where the engine answered so, by text where the error came inside its stream. */
export function pullFailure(error: unknown, image: string): RetryableError | TerminalError {
  const reason = reasonOf(error)
  const options = { cause: error }
  if (statusOf(error) === 400 || /invalid reference format/i.test(reason)) {
    return new TerminalError('InvalidImageName', `image ${image} is no image name: ${reason}`, options)
  }
  const unreachable = /dial tcp|no such host|timeout|timed out|connection (refused|reset)|TLS handshake|EOF/i.test(reason)
  if (!unreachable && (statusOf(error) === 404 || NOT_FOUND.test(reason))) {
    return new TerminalError('ImageNotFound', `image ${image} is not there, or may not be pulled: ${reason}`, options)
  }
  return new RetryableError(`image ${image} is not on this machine and cannot be pulled now: ${reason}`, options)
}
