import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Removal and renaming of a file last only when its folder is written out too. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The new content or the old one, whole, whatever happens at any moment; mode 0600. @throws on any I/O error */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.tmp`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncFolder(dirname(path))
}

/** Already gone is success. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncFolder(dirname(path))
}
