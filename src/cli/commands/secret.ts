import { resolve } from 'node:path'
import { EXIT } from '../exit.ts'
import { readManifest } from '../files.ts'
import { escapeText } from '../output/escape.ts'
import type { Command, Session } from '../session.ts'
import { replaceFile, writeNew } from '../write.ts'

export interface EncryptFlags {
  readonly recipient: readonly string[]
  readonly inPlace?: boolean
}

export interface DecryptFlags {
  readonly ageKeyFile?: string
  readonly inPlace?: boolean
}

/** A new age key. Data is what a script goes on with: the recipient, or without a file for the key the key itself. */
export const keygen: Command<{ out?: string }> = async ({ deps, printer }, _, { out }) => {
  const tools = await deps.secrets()
  const { recipient, keyFile } = await tools.newKey(deps.clock.now())
  if (out === undefined) {
    printer.out(keyFile)
    return EXIT.ok
  }
  await writeNew(deps, out, keyFile)
  printer.out(`${recipient}\n`)
  printer.say(escapeText(`the key is in ${out}: keep a copy of it, and never put it into git`))
  return EXIT.ok
}

/** Encrypts the values of a Secret, so that its file can go into git. */
export const encrypt: Command<EncryptFlags> = async (session, [path = ''], { recipient, inPlace }) => {
  const { deps } = session
  const [tools, file] = await Promise.all([deps.secrets(), readManifest(deps, path)])
  const text = await tools.encrypt(file, { recipients: recipient, now: deps.clock.now() })
  if (inPlace !== true) return show(session, text)
  return keep(session, { path, text, said: `${path} is encrypted, and may go into git` })
}

/** The Secret in plain, for editing. */
export const decrypt: Command<DecryptFlags> = async (session, [path = ''], { ageKeyFile, inPlace }) => {
  const { deps } = session
  const [tools, file] = await Promise.all([deps.secrets(), readManifest(deps, path)])
  const text = await tools.decrypt(file, { ageKeyFile: ageKeyFile === undefined ? null : resolve(deps.cwd, ageKeyFile) })
  if (inPlace !== true) return show(session, text)
  return keep(session, { path, text, said: `${path} is in plain now: encrypt it again before it goes into git` })
}

function show({ printer }: Session, text: string): number {
  printer.out(text)
  return EXIT.ok
}

async function keep({ deps, printer }: Session, { path, text, said }: { path: string; text: string; said: string }): Promise<number> {
  await replaceFile(deps, path, text)
  printer.say(escapeText(said))
  return EXIT.ok
}
