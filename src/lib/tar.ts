import { ByteReader } from './byte-reader.ts'
import { BLOCK, headerOf, type Overrides, paxOf, refusal, type TarHeader, textOf } from './tar-header.ts'

/** One thing in a tar archive. Owners, times and all of a file's mode but whether it may be run are left out. */
export type TarEntry =
  | {
      readonly type: 'file'
      readonly path: string
      readonly mode: 'file' | 'executable'
      readonly size: number
      /** To be read to its end before the next entry is asked for. */
      readonly content: AsyncIterable<Uint8Array>
    }
  | { readonly type: 'folder'; readonly path: string }
  | { readonly type: 'hardLink' | 'symbolicLink'; readonly path: string; readonly target: string }

/** Longest path of Linux is 4 KiB; extended attributes, the largest thing that is skipped, have 64 KiB each. */
const MAX_META_BYTES = 1024 * 1024

/**
 * Reads a tar archive as GNU tar, bsdtar and Node's, Go's and Python's packers write it. Strict: what it does not know
 * is an error, for a part left out silently is worse. Ends at the end mark, and reads nothing after it.
 * @throws TerminalError `ArchiveRefused`
 */
export async function* readTar(stream: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(stream, () => refusal('the archive is cut off'))
  try {
    let overrides: Overrides = {}
    for (;;) {
      const block = await reader.take(BLOCK)
      if (block.every((byte) => byte === 0)) return
      const header = headerOf(block)
      if (Object.hasOwn(EXTRA, header.flag)) {
        overrides = { ...overrides, ...(await readExtra(reader, header)) }
      } else {
        yield* entryOf({ ...header, ...overrides }, reader)
        overrides = {}
      }
    }
  } finally {
    await reader.close()
  }
}

async function* entryOf(header: TarHeader, reader: ByteReader): AsyncGenerator<TarEntry, void, undefined> {
  const { flag, path, target, mode, size } = header
  switch (flag) {
    case '0':
    case '7':
    case '\0':
      if (path.endsWith('/')) {
        yield { type: 'folder', path }
        return
      }
      yield { type: 'file', path, mode: (mode & 0o111) === 0 ? 'file' : 'executable', size, content: reader.pieces(size) }
      await reader.take(paddingOf(size))
      return
    case '1':
      yield { type: 'hardLink', path, target }
      return
    case '2':
      yield { type: 'symbolicLink', path, target }
      return
    case '5':
      yield { type: 'folder', path }
      return
    default:
      throw refusal(`${JSON.stringify(path)} is ${SPECIAL[flag] ?? `of the unknown type ${JSON.stringify(flag)}`}`)
  }
}

const SPECIAL: Readonly<Record<string, string>> = { '3': 'a device', '4': 'a device', '6': 'a named pipe', S: 'a sparse file' }

const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK

/** Headers that say more of another: pax, for one entry and for all, and GNU's long names. */
const EXTRA: Readonly<Record<string, (body: Buffer) => Overrides>> = {
  x: (body) => paxOf(body),
  g: (body) => {
    if (Object.keys(paxOf(body)).length > 0) throw refusal('one path, link or size is given for all files')
    return {}
  },
  L: (body) => ({ path: textOf(body) }),
  K: (body) => ({ target: textOf(body) }),
}

async function readExtra(reader: ByteReader, { flag, size }: TarHeader): Promise<Overrides> {
  if (size > MAX_META_BYTES) throw refusal(`a header has ${size} bytes, more than ${MAX_META_BYTES}`)
  const body = await reader.take(size)
  await reader.take(paddingOf(size))
  return EXTRA[flag]?.(body) ?? {}
}
