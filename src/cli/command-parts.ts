import type { Command as Commander } from 'commander'
import type { CliDeps } from './deps.ts'
import type { Command } from './session.ts'

/** Runs a command that is loaded only when it is called, so that `--help` stays quick. */
export type Start = <O>(load: () => Promise<Command<O>>) => (...given: unknown[]) => Promise<void>

/** What the pieces of the command tree are built with. */
export interface Parts {
  readonly program: Commander
  readonly start: Start
  readonly deps: CliDeps
}
