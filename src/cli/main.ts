import { CommanderError } from 'commander'
import type { Start } from './command-parts.ts'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, messageOf } from './exit.ts'
import { buildProgram, everyCommand } from './program.ts'
import { type GlobalOptions, openSession } from './session.ts'

/**
 * One run of the command line; `argv` without node and script. Resolves with the exit code and never rejects.
 * What a command needs is loaded when it is called: here is only commander.
 */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  const outcome: { exit: number } = { exit: EXIT.ok }
  const start: Start =
    (load) =>
    async (...given) => {
      const words = given
        .slice(0, -2)
        .flat()
        .filter((word): word is string => typeof word === 'string')
      const session = await openSession(deps, program.opts<GlobalOptions>())
      const command = await load()
      // Options have passed commander's own checks, which the option's declaration and the command's type both state.
      outcome.exit = await command(session, words, given.at(-2) as Parameters<typeof command>[2])
    }
  const program = buildProgram(start, deps)
  for (const command of everyCommand(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => deps.stdout.write(text),
      writeErr: (text) => deps.stderr.write(text),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    })
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return outcome.exit
  } catch (error) {
    return failed(deps, error)
  }
}

const HELP_WIDTH = 110

function failed({ stderr, signal }: CliDeps, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (signal.aborted) return EXIT.interrupted
  if (error instanceof CliError) {
    stderr.write(`error: ${safe(error.message)}\n${error.hint === null ? '' : `hint: ${safe(error.hint)}\n`}`)
    return error.exitCode
  }
  stderr.write(`error: ${safe(messageOf(error))}\n`)
  return EXIT.error
}

/** A small form of `escapeText` that needs nothing loaded. */
const safe = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => (char === '\n' ? '\n' : '\ufffd'))
