import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TerminalError } from '../../../src/lib/errors.ts'
import { giveBackMemory, memoryFolder, removeFromMemory } from '../../memory-folder.ts'
import type { Context } from './context.ts'
import { quote } from './quote.ts'

/** All variables of a program, and whether some are secret. */
export interface Environment {
  readonly variables: Readonly<Record<string, string>>
  readonly secrecy: 'open' | 'secret'
}

/*
 * Where a program has secret variables, all of its variables reach it through descriptor 3: an argument of `env` could be
 * read by every user in /proc, and a file would stay on the disk. The loader reads what was quoted as data, and becomes
 * the program. It needs a variable of its own, and forgets what a shell adds.
 */
const LOADER = `__drover=$(/bin/cat <&3)
exec 3<&-
unset PWD OLDPWD SHLVL
eval "$__drover"
unset __drover
exec "$@"`

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/
/** A shell keeps them for itself, or reads numbers into them, and quotes what it cannot read. */
const OF_THE_SHELL: ReadonlySet<string> = new Set(['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'OPTIND', 'PPID', 'SHELLOPTS', 'UID', '__drover'])
/** Bytes of `NAME=value` with its end, Linux' MAX_ARG_STRLEN. */
const LONGEST = 131_072

/** Words that make `command` run with exactly these variables. */
export function withVariables(command: readonly string[], { variables, secrecy }: Environment): readonly string[] {
  const given = Object.entries(variables).map(([name, value]) => `${name}=${value}`)
  return secrecy === 'open' ? ['env', '-i', ...given, ...command] : ['env', '-i', '/bin/sh', '-c', LOADER, 'sh', ...command]
}

/** What the loader reads. @throws TerminalError for what cannot be a variable, without its value */
export function assignments(variables: Environment['variables']): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${quote(checked(name, value))}\n`)
    .join('')
}

function checked(name: string, value: string): string {
  if (!VARIABLE.test(name) || OF_THE_SHELL.has(name))
    throw new TerminalError('InvalidVariable', `${name} cannot be a variable of a process that has secret ones`)
  if (Buffer.byteLength(value) + name.length + 2 > LONGEST)
    throw new TerminalError('InvalidVariable', `${name} is longer than the ${LONGEST} bytes that a variable may have`)
  return value
}

const folderName = ({ layout }: Context): string => `drover-process-${layout.mark}`

/** In memory, until the shim has opened it; null when there is nothing to hand over. */
export async function keepForShim(context: Context, key: string, { variables, secrecy }: Environment): Promise<string | null> {
  if (secrecy === 'open') return null
  const path = join(await memoryFolder(folderName(context)), key)
  await writeFile(path, assignments(variables), { mode: 0o600 })
  return path
}

/** Of an attempt whose shim never came so far; already gone is success. */
export const forgetForShim = (context: Context, key: string): Promise<void> => removeFromMemory(folderName(context), key)

export const giveBackFolder = (context: Context): Promise<void> => giveBackMemory(folderName(context))
