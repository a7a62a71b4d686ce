/** Exit codes of every command; the table is in the README and scripts rely on it. */
export const EXIT = { ok: 0, error: 1, usage: 2, unhealthy: 3, timeout: 4, notFound: 5, interrupted: 130 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A command that cannot go on: what is wrong, the exit code, and what the user may do. */
export class CliError extends Error {
  override name = 'CliError'
  readonly exitCode: number
  readonly hint: string | null
  constructor(exitCode: number, message: string, hint: string | null = null) {
    super(message)
    this.exitCode = exitCode
    this.hint = hint
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
