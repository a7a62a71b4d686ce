/** Trying the same again later may work. */
export class RetryableError extends Error {
  override name = 'RetryableError'
}

/** Processes that not even KILL ends, such as in state D: they hold what they have until the kernel lets go of them. */
export class StuckError extends RetryableError {
  override name = 'StuckError'
}

/** Trying the same again cannot work; `code` is a CamelCase reason for people. */
export class TerminalError extends Error {
  override name = 'TerminalError'
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export const isAbort = (error: unknown, signal: AbortSignal): boolean =>
  signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))

/** A system error such as `ENOENT`. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** For `catch`: turns an error with one of the codes into null and throws any other. */
export const nullOn =
  (...codes: readonly string[]) =>
  (error: unknown): null => {
    if (hasCode(error, ...codes)) return null
    throw error
  }
