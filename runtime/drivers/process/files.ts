import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** For `catch`: turns an error with one of the codes into null and throws any other. */
export const nullOn =
  (...codes: readonly string[]) =>
  (error: unknown): null => {
    if (hasCode(error, ...codes)) return null
    throw error
  }

export const readIfThere = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(nullOn('ENOENT', 'ENOTDIR'))

/** Whole or not at all, and on the disk when it returns; mode 0600. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const aside = `${path}.tmp`
  const file = await open(aside, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(aside, path)
  await syncDirectory(dirname(path))
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
