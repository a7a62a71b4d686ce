import { randomUUID } from 'node:crypto'
import { mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, messageOf } from './exit.ts'
import { onDisk } from './files.ts'

/** For its owner alone. */
const PRIVATE = 0o600

/** The whole file or none, for its owner alone; replaces what was there. @throws CliError 1. */
export const writePrivate = ({ cwd }: CliDeps, path: string, text: string): Promise<void> =>
  written(path, () => writeWhole(resolve(cwd, path), text, PRIVATE))

/** Another text for a file that is there, all of it or nothing; its mode and links to it stay. @throws CliError 1. */
export async function replaceFile({ cwd }: CliDeps, path: string, text: string): Promise<void> {
  const target = await onDisk(path, () => realpath(resolve(cwd, path)))
  const { mode } = await onDisk(path, () => stat(target))
  await written(path, () => writeWhole(target, text, mode & 0o777))
}

/** A file that must not be there yet, for its owner alone; missing folders are made. @throws CliError 1. */
export function writeNew({ cwd }: CliDeps, path: string, text: string): Promise<void> {
  const target = resolve(cwd, path)
  return written(path, async () => {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await writeFile(target, text, { mode: PRIVATE, flag: 'wx', flush: true })
  })
}

async function writeWhole(target: string, text: string, mode: number): Promise<void> {
  const draft = `${target}.${randomUUID()}.tmp`
  try {
    await writeFile(draft, text, { mode, flag: 'wx', flush: true })
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

async function written(path: string, call: () => Promise<void>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new CliError(EXIT.error, `${path} is there already, and is not overwritten`, 'choose another name, or move it away')
    throw new CliError(EXIT.error, `${path} cannot be written: ${messageOf(error)}`)
  }
}
