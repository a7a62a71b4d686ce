import { createReadStream } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { escapingLink } from './archive-links.ts'
import { TerminalError } from './errors.ts'
import { createFolderWriter, type FolderLimits, type FolderWriter } from './folder-writer.ts'
import { readTar, type TarEntry } from './tar.ts'

const CODES = { refused: 'ArchiveRefused', tooLarge: 'ArchiveTooLarge' }
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b])

/**
 * Unpacks the tar archive in `file`, plain or in gzip, below `directory`, which is made and must not be there. Files get
 * mode 0644 or 0755 and belong to this process: no owner and no set-user-id bit is taken over. Devices and pipes are
 * refused, and so is whatever leads out of the directory. After an error part of the archive lies there.
 * The limits hold for the files, and `maxBytes` for the whole archive as well, once it is out of its gzip.
 * @throws TerminalError `ArchiveRefused` or `ArchiveTooLarge`
 */
export async function unpackArchive(file: string, directory: string, limits: FolderLimits): Promise<void> {
  // Names that differ in case are fine on Linux, and there are in Python's and Perl's own archives.
  const folder = createFolderWriter(directory, { limits, noun: 'archive', codes: CODES, sameness: (path) => path })
  const links = new Map<string, string>()
  await mkdir(directory)
  for await (const entry of readTar(bounded(await plainBytes(file), limits.maxBytes))) {
    const path = tidyPath(entry.path)
    if (entry.type === 'symbolicLink') links.set(path, entry.target)
    if (entry.type !== 'folder' || path !== '.') await write(folder, path, entry)
  }
  const escaping = escapingLink(links)
  if (escaping !== null) {
    throw new TerminalError(CODES.refused, `the link ${JSON.stringify(escaping)} leads out of the archive, or in a circle`)
  }
}

async function write(folder: FolderWriter, path: string, entry: TarEntry): Promise<void> {
  switch (entry.type) {
    case 'file':
      return await folder.file(path, entry, entry.content)
    case 'folder':
      return await folder.folder(path)
    case 'hardLink':
      return await folder.hardLink(path, tidyPath(entry.target))
    case 'symbolicLink':
      return await folder.symbolicLink(path, entry.target)
  }
}

/** `./a//b/` is `a/b`; `..` and a leading slash stay, and are refused as they are. */
function tidyPath(path: string): string {
  const parts = path.split('/').filter((part, at) => part !== '.' && (part !== '' || at === 0))
  return parts.join('/') || '.'
}

async function plainBytes(file: string): Promise<AsyncIterable<Uint8Array>> {
  const source = createReadStream(file)
  if (!(await startsWith(file, GZIP_MAGIC))) return source
  const gunzip = createGunzip()
  // An error of either is thrown to whoever reads; so is the end that comes of not reading on.
  pipeline(source, gunzip, () => undefined)
  return unzipped(gunzip)
}

async function* unzipped(gunzip: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* gunzip
  } catch (cause) {
    const isDamaged = cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_')
    throw isDamaged ? new TerminalError(CODES.refused, `its gzip is broken: ${cause.message}`, { cause }) : cause
  }
}

async function startsWith(file: string, magic: Buffer): Promise<boolean> {
  const handle = await open(file, 'r')
  try {
    const { buffer } = await handle.read(Buffer.alloc(magic.length), 0, magic.length, 0)
    return buffer.equals(magic)
  } finally {
    await handle.close()
  }
}

/** Few bytes of gzip can stand for very many of nothing. */
async function* bounded(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new TerminalError(CODES.tooLarge, `the archive has more than ${maxBytes} bytes`)
    yield chunk
  }
}
