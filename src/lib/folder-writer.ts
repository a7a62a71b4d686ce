import { chmod, link, mkdir, open, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { TerminalError } from './errors.ts'

export interface FolderLimits {
  /** Bytes of all files together; a hard link counts as the file it leads to. */
  readonly maxBytes: number
  /** Files, links and folders, also those that only a path names. */
  readonly maxFiles: number
}

export interface FolderRules {
  readonly limits: FolderLimits
  /** What the folder is made from, in messages: `tree`. */
  readonly noun: string
  /** Codes of the errors. */
  readonly codes: { readonly refused: string; readonly tooLarge: string }
  /** Two paths of which this is the same must not both be there. */
  readonly sameness: (path: string) => string
}

/**
 * Writes what somebody else has packed into a folder, and nothing outside of it, whatever the paths say.
 * Folders are made one by one and must be new, so that nothing that lay there before is entered or followed.
 * @throws TerminalError with one of the codes for what would be refused again
 */
export interface FolderWriter {
  folder(path: string): Promise<void>
  /** `size`: bytes of the content, counted before they are written. Files get mode 0644, executables 0755. */
  file(path: string, file: { mode: 'file' | 'executable'; size: number }, content: AsyncIterable<Uint8Array>): Promise<void>
  /** One more name of a file that was written before. */
  hardLink(path: string, target: string): Promise<void>
  /** Where it leads is the caller's to check; nothing is ever written through it. */
  symbolicLink(path: string, target: string): Promise<void>
  /** Files written so far. */
  readonly files: number
}

const MODES = { file: 0o644, executable: 0o755 } as const
const MAX_NAME_BYTES = 255

type Made = { readonly exact: string } & ({ readonly kind: 'folder' | 'link' } | { readonly kind: 'file'; readonly bytes: number })

export function createFolderWriter(directory: string, rules: FolderRules): FolderWriter {
  return new Writer(directory, rules)
}

class Writer implements FolderWriter {
  files = 0
  #entries = 0
  #bytes = 0
  readonly #directory: string
  readonly #rules: FolderRules
  readonly #made = new Map<string, Made>()

  constructor(directory: string, rules: FolderRules) {
    this.#directory = directory
    this.#rules = rules
  }

  async folder(path: string): Promise<void> {
    const segments = this.#checkedSegments(path)
    await this.#makeFolders(segments, segments.length)
  }

  async file(path: string, { mode, size }: { mode: keyof typeof MODES; size: number }, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.#count(size)
    await this.#makeParents(path)
    this.#register({ exact: path, kind: 'file', bytes: size })
    await writeEntry(join(this.#directory, path), MODES[mode], content)
    this.files += 1
  }

  async hardLink(path: string, target: string): Promise<void> {
    const known = this.#made.get(this.#rules.sameness(target))
    if (known?.kind !== 'file' || known.exact !== target) {
      throw this.#refusal(`the path ${JSON.stringify(path)} is a link to ${JSON.stringify(target)}, which is no file before it`)
    }
    this.#count(known.bytes)
    await this.#makeParents(path)
    this.#register({ exact: path, kind: 'file', bytes: known.bytes })
    await link(join(this.#directory, target), join(this.#directory, path))
  }

  async symbolicLink(path: string, target: string): Promise<void> {
    this.#count(0)
    await this.#makeParents(path)
    this.#register({ exact: path, kind: 'link' })
    await symlink(target, join(this.#directory, path))
  }

  #refusal(message: string): TerminalError {
    return new TerminalError(this.#rules.codes.refused, message)
  }

  #count(bytes: number): void {
    const { limits, codes, noun } = this.#rules
    this.#entries += 1
    this.#bytes += bytes
    if (this.#entries > limits.maxFiles) throw new TerminalError(codes.tooLarge, `the ${noun} has more than ${limits.maxFiles} files`)
    if (this.#bytes > limits.maxBytes) throw new TerminalError(codes.tooLarge, `the ${noun} has more than ${limits.maxBytes} bytes`)
  }

  /** The folders and the name of a path; none of them can lead out of the directory. */
  #checkedSegments(path: string): readonly string[] {
    const segments = path.split('/')
    const safe = (name: string) => name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= MAX_NAME_BYTES
    if (path.includes('\0') || !segments.every(safe)) throw this.#refusal(`the path ${JSON.stringify(path)} is not allowed`)
    return segments
  }

  #register(made: Made): 'new' | 'known' {
    const key = this.#rules.sameness(made.exact)
    const known = this.#made.get(key)
    if (known === undefined) {
      this.#made.set(key, made)
      return 'new'
    }
    if (made.kind !== 'folder' || known.kind !== 'folder' || known.exact !== made.exact) {
      throw this.#refusal(`the path ${JSON.stringify(made.exact)} clashes with ${known.exact}`)
    }
    return 'known'
  }

  async #makeParents(path: string): Promise<void> {
    const segments = this.#checkedSegments(path)
    await this.#makeFolders(segments, segments.length - 1)
  }

  async #makeFolders(segments: readonly string[], depth: number): Promise<void> {
    for (let end = 1; end <= depth; end++) {
      const folder = segments.slice(0, end).join('/')
      if (this.#register({ exact: folder, kind: 'folder' }) === 'known') continue
      this.#count(0)
      const path = join(this.#directory, folder)
      await mkdir(path)
      await chmod(path, 0o755)
    }
  }
}

/** Modes are set afterwards as well: the umask of the process must not decide whether a program may be run. */
async function writeEntry(file: string, mode: number, content: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(file, 'wx', mode)
  try {
    for await (const piece of content) await handle.writeFile(piece)
    await handle.chmod(mode)
  } finally {
    await handle.close()
  }
}
