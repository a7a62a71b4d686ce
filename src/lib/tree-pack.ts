import { mkdir } from 'node:fs/promises'
import { ByteReader } from './byte-reader.ts'
import { RetryableError, TerminalError } from './errors.ts'
import { createFolderWriter, type FolderLimits, type FolderWriter } from './folder-writer.ts'

/** One file of a tree on its way to another machine. */
export interface TreePackEntry {
  /** Relative, with `/`. */
  readonly path: string
  readonly mode: 'file' | 'executable'
  readonly content: Uint8Array
}

/*
 * The stream is a magic word, then a frame a file: kind (1 byte), length of the path and of the content (4 bytes each,
 * big-endian), path in UTF-8, content. A last frame of kind 0 says how many files there were, so a cut is noticed.
 */
const MAGIC = Buffer.from('drover-tree/1\n')
const KINDS = { file: 1, executable: 2 } as const
const END = 0
const FRAME_BYTES = 9
const MODES: Readonly<Record<number, TreePackEntry['mode']>> = { [KINDS.file]: 'file', [KINDS.executable]: 'executable' }
const MAX_PATH_BYTES = 4096

function frame(kind: number, pathBytes: number, contentBytes: number): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES)
  bytes.writeUInt8(kind, 0)
  bytes.writeUInt32BE(pathBytes, 1)
  bytes.writeUInt32BE(contentBytes, 5)
  return bytes
}

/** The entries as one stream of bytes. Holds one file in memory at a time. */
export async function* packTree(entries: AsyncIterable<TreePackEntry>): AsyncGenerator<Uint8Array, void, undefined> {
  yield MAGIC
  let files = 0
  for await (const { path, mode, content } of entries) {
    const name = Buffer.from(path)
    yield Buffer.concat([frame(KINDS[mode], name.length, content.length), name])
    if (content.length > 0) yield content
    files += 1
  }
  yield frame(END, 0, files)
}

const refuse = (message: string): never => {
  throw new TerminalError('TreeRefused', message)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new TerminalError('TreeRefused', 'a path is not UTF-8', { cause })
  }
}

/** Some file systems fold case and Unicode forms: two names that clash there must not overwrite each other. */
const folded = (path: string): string => path.normalize('NFC').toLowerCase().normalize('NFC')

async function unpackEntry(reader: ByteReader, folder: FolderWriter, head: Buffer): Promise<void> {
  const mode = MODES[head.readUInt8(0)] ?? refuse('a frame is of unknown kind')
  const pathBytes = head.readUInt32BE(1)
  const size = head.readUInt32BE(5)
  if (pathBytes > MAX_PATH_BYTES) refuse(`a path has ${pathBytes} bytes, more than ${MAX_PATH_BYTES}`)
  const path = decode(await reader.take(pathBytes))
  await folder.file(path, { mode, size }, reader.pieces(size))
}

/**
 * Writes a packed tree below `directory`, which is made if need be and must be empty; files get mode 0644 or 0755.
 * Unpack into a temporary folder and rename: after an error part of the tree lies there.
 * @throws TerminalError `TreeRefused` or `TreeTooLarge` for what would be refused again; RetryableError for a cut stream.
 */
export async function unpackTree(stream: AsyncIterable<Uint8Array>, directory: string, limits: FolderLimits): Promise<void> {
  const reader = new ByteReader(stream, () => new RetryableError('the packed tree was cut off'))
  const codes = { refused: 'TreeRefused', tooLarge: 'TreeTooLarge' }
  const folder = createFolderWriter(directory, { limits, noun: 'tree', codes, sameness: folded })
  try {
    await mkdir(directory, { recursive: true })
    if (!(await reader.take(MAGIC.length)).equals(MAGIC)) refuse('this is not a packed tree')
    for (;;) {
      const head = await reader.take(FRAME_BYTES)
      if (head.readUInt8(0) !== END) await unpackEntry(reader, folder, head)
      else if (head.readUInt32BE(5) === folder.files) return
      else refuse('the packed tree has lost files')
    }
  } finally {
    await reader.close()
  }
}
