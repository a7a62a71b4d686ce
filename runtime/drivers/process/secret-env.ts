import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TerminalError } from '../../../src/lib/errors.ts'
import { giveBackMemory, memoryFolder, removeFromMemory } from '../../memory-folder.ts'
import type { Context } from './context.ts'
import { quote } from './quote.ts'

/*
 * Secret variables reach a program through descriptor 3: an argument of `env` could be read by every user in
 * /proc, and a file would stay on the disk. The loader reads what was quoted as data, closes it and becomes the program.
 */
const LOADER = `t=
while IFS= read -r l; do t="$t$l
"; done <&3
exec 3<&-
eval "$t"
exec "$@"`

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/

export type SecretEnv = Readonly<Record<string, string>>

export const isNone = (env: SecretEnv): boolean => Object.keys(env).length === 0

/** The command with its secret variables loaded first, by the user it runs as. */
export const loading = (command: readonly string[], env: SecretEnv): readonly string[] =>
  isNone(env) ? command : ['/bin/sh', '-c', LOADER, 'sh', ...command]

/** What the loader reads. @throws TerminalError for a name that is none */
export function assignments(env: SecretEnv): string {
  const odd = Object.keys(env).find((name) => !VARIABLE.test(name))
  if (odd !== undefined) throw new TerminalError('InvalidVariable', `${odd} cannot name an environment variable`)
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${quote(value)}\n`)
    .join('')
}

const folderName = ({ layout }: Context): string => `drover-process-${layout.mark}`

/** In memory, until the shim has opened it; null when there is nothing to hand over. */
export async function keepForShim(context: Context, key: string, env: SecretEnv): Promise<string | null> {
  if (isNone(env)) return null
  const path = join(await memoryFolder(folderName(context)), key)
  await writeFile(path, assignments(env), { mode: 0o600 })
  return path
}

/** Of an attempt whose shim never came so far; already gone is success. */
export const forgetForShim = (context: Context, key: string): Promise<void> => removeFromMemory(join(folderName(context), key))

export const giveBackFolder = (context: Context): Promise<void> => giveBackMemory(folderName(context))
