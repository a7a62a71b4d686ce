import { link, mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { deflate } from 'node:zlib'
import type { Oid } from '../../model/ids.ts'
import { absent, objectId } from './object-store.ts'
import type { ObjectType } from './pack-file.ts'

const deflateAsync = promisify(deflate)

function existing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
}

export interface LooseWriter {
  /** `objects` folder of the repository. */
  readonly directory: string
  /** Returns [0, 1); names temporary files. */
  readonly random: () => number
}

/** Writes one object as git does: a whole, synced temporary file, then a link, so a crash leaves no half object. */
export async function writeLoose(writer: LooseWriter, type: ObjectType, content: Buffer): Promise<Oid> {
  const oid = objectId(type, content)
  const file = join(writer.directory, oid.slice(0, 2), oid.slice(2))
  if ((await stat(file).catch(absent)) !== null) return oid
  await mkdir(dirname(file), { recursive: true })
  const temporary = join(dirname(file), `tmp_obj_${Math.floor(writer.random() * 2 ** 48).toString(36)}`)
  const handle = await open(temporary, 'wx', 0o444)
  try {
    await handle.writeFile(await deflateAsync(Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content])))
    await handle.sync()
    await link(temporary, file).catch(existing)
  } finally {
    await handle.close()
    await rm(temporary, { force: true })
  }
  return oid
}
