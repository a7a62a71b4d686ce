import { chmod, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { RetryableError, TerminalError } from './errors.ts'

/** One file of a tree on its way to another machine. */
export interface TreePackEntry {
  /** Relative, with `/`. */
  readonly path: string
  readonly mode: 'file' | 'executable'
  readonly content: Uint8Array
}

export interface TreePackLimits {
  /** Bytes of all files together. */
  readonly maxBytes: number
  readonly maxFiles: number
}

/*
 * The stream is a magic word, then a frame a file: kind (1 byte), length of the path and of the content (4 bytes each,
 * big-endian), path in UTF-8, content. A last frame of kind 0 says how many files there were, so a cut is noticed.
 */
const MAGIC = Buffer.from('drover-tree/1\n')
const KINDS = { file: 1, executable: 2 } as const
const END = 0
const FRAME_BYTES = 9
const MODES: Readonly<Record<number, number>> = { [KINDS.file]: 0o644, [KINDS.executable]: 0o755 }
const MAX_PATH_BYTES = 4096
const MAX_NAME_BYTES = 255

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

/** Hands out a stream of chunks by exact numbers of bytes. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]()
  }

  /** The next `count` bytes, as they come. @throws RetryableError when the stream ends before. */
  async *pieces(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) await this.#refill()
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }

  async take(count: number): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.pieces(count)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #refill(): Promise<void> {
    const next = await this.#chunks.next()
    if (next.done === true) throw new RetryableError('the packed tree was cut off')
    this.#rest = next.value
  }
}

interface Unpacking {
  readonly directory: string
  readonly limits: TreePackLimits
  /** Every path and folder made so far, by its name without regard to case. */
  readonly made: Map<string, { readonly exact: string; readonly kind: 'file' | 'folder' }>
  files: number
  bytes: number
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

/** The folders and the name of a path. @throws TerminalError for one that could lead out of the directory. */
function checkedSegments(path: string): readonly string[] {
  const segments = path.split('/')
  const safe = (name: string) => name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= MAX_NAME_BYTES
  if (path.includes('\0') || !segments.every(safe)) refuse(`the path ${JSON.stringify(path)} is not allowed`)
  return segments
}

/** Some file systems fold case and Unicode forms: two names that clash there must not overwrite each other. */
const folded = (path: string): string => path.normalize('NFC').toLowerCase().normalize('NFC')

function register(unpacking: Unpacking, exact: string, kind: 'file' | 'folder'): 'new' | 'known' {
  const known = unpacking.made.get(folded(exact))
  if (known === undefined) {
    unpacking.made.set(folded(exact), { exact, kind })
    return 'new'
  }
  if (kind === 'file' || known.kind === 'file' || known.exact !== exact)
    refuse(`the path ${JSON.stringify(exact)} clashes with ${known.exact}`)
  return 'known'
}

/** Folders are made one by one and must be new, so that nothing that lay there before is entered or followed. */
async function makeFolders(unpacking: Unpacking, segments: readonly string[]): Promise<void> {
  for (let depth = 1; depth < segments.length; depth++) {
    const folder = segments.slice(0, depth).join('/')
    if (register(unpacking, folder, 'folder') === 'known') continue
    const path = join(unpacking.directory, folder)
    await mkdir(path)
    await chmod(path, 0o755)
  }
}

/** Modes are set afterwards as well: the umask of the process must not decide whether a program may be run. */
async function writeEntry(file: string, mode: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    for await (const piece of pieces) await handle.writeFile(piece)
    await handle.chmod(mode)
  } finally {
    await handle.close()
  }
}

async function unpackEntry(reader: ByteReader, unpacking: Unpacking, head: Buffer): Promise<void> {
  const mode = MODES[head.readUInt8(0)] ?? refuse('a frame is of unknown kind')
  const pathBytes = head.readUInt32BE(1)
  const contentBytes = head.readUInt32BE(5)
  if (pathBytes > MAX_PATH_BYTES) refuse(`a path has ${pathBytes} bytes, more than ${MAX_PATH_BYTES}`)
  const { limits } = unpacking
  unpacking.files += 1
  unpacking.bytes += contentBytes
  if (unpacking.files > limits.maxFiles) throw new TerminalError('TreeTooLarge', `the tree has more than ${limits.maxFiles} files`)
  if (unpacking.bytes > limits.maxBytes) throw new TerminalError('TreeTooLarge', `the tree has more than ${limits.maxBytes} bytes`)
  const path = decode(await reader.take(pathBytes))
  const segments = checkedSegments(path)
  await makeFolders(unpacking, segments)
  register(unpacking, path, 'file')
  await writeEntry(join(unpacking.directory, path), mode, reader.pieces(contentBytes))
}

/**
 * Writes a packed tree below `directory`, which is made if need be and must be empty; files get mode 0644 or 0755.
 * Unpack into a temporary folder and rename: after an error part of the tree lies there.
 * @throws TerminalError `TreeRefused` or `TreeTooLarge` for what would be refused again; RetryableError for a cut stream.
 */
export async function unpackTree(stream: AsyncIterable<Uint8Array>, directory: string, limits: TreePackLimits): Promise<void> {
  const reader = new ByteReader(stream)
  const unpacking: Unpacking = { directory, limits, made: new Map(), files: 0, bytes: 0 }
  try {
    await mkdir(directory, { recursive: true })
    if (!(await reader.take(MAGIC.length)).equals(MAGIC)) refuse('this is not a packed tree')
    for (;;) {
      const head = await reader.take(FRAME_BYTES)
      if (head.readUInt8(0) !== END) await unpackEntry(reader, unpacking, head)
      else if (head.readUInt32BE(5) === unpacking.files) return
      else refuse('the packed tree has lost files')
    }
  } finally {
    await reader.close()
  }
}
