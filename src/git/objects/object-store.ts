import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import type { Oid } from '../../model/ids.ts'
import { GitError } from '../git-backend.ts'
import { deflateBound, inflateAtMost } from './inflate.ts'
import { type ObjectType, PackFile, type RawObject } from './pack-file.ts'

/**
 * Objects by id, from loose files, packs and alternates. isomorphic-git is not used here because it loads
 * whole packs, inflates without limit and takes 1 ms a blob; every object read here is checked against its id.
 */
export interface ObjectStore {
  /** @returns null when it is not there. @throws GitError `TooLarge` above `maxBytes`, `Corrupt` when unreadable. */
  read(oid: Oid, maxBytes: number): Promise<RawObject | null>
  has(oid: Oid): Promise<boolean>
  /** Number of packs now on disk. */
  packs(): Promise<number>
  close(): Promise<void>
}

const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const MAX_ALTERNATES = 5
/** Bases in other packs, one upon another; real repositories have one. */
const MAX_BASES = 50
const LOOSE_HEADER = /^(?<type>commit|tree|blob|tag) (?<size>\d{1,12})$/
/** Type name, size and NUL in front of a loose object. */
const LOOSE_HEADER_BYTES = 64

/** For a file that may be absent: the others are real failures. */
export function absent(error: unknown): null {
  if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(String(error.code))) return null
  throw error
}

export const objectId = (type: ObjectType, content: Uint8Array): Oid =>
  createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex') as Oid

const loosePath = (directory: string, oid: Oid): string => join(directory, oid.slice(0, 2), oid.slice(2))

async function readLoose(directory: string, oid: Oid, maxBytes: number): Promise<RawObject | null> {
  const file = loosePath(directory, oid)
  const size = await stat(file).then((found) => found.size, absent)
  if (size === null) return null
  if (size > deflateBound(maxBytes)) throw new GitError('TooLarge', `object ${oid} exceeds the limit of ${maxBytes} bytes`)
  const bytes = await readFile(file).catch(absent)
  if (bytes === null) return null
  const inflated = await inflateAtMost(bytes, maxBytes + LOOSE_HEADER_BYTES)
  const nul = inflated.subarray(0, LOOSE_HEADER_BYTES).indexOf(0)
  const header = LOOSE_HEADER.exec(inflated.toString('latin1', 0, Math.max(0, nul)))?.groups
  const content = inflated.subarray(nul + 1)
  if (header === undefined || Number(header.size) !== content.length) throw new GitError('Corrupt', `object ${oid} is malformed`)
  if (content.length > maxBytes) throw new GitError('TooLarge', `object ${oid} exceeds the limit of ${maxBytes} bytes`)
  return { type: header.type as ObjectType, content }
}

async function alternatesOf(directory: string, depth: number): Promise<string[]> {
  const text = depth >= MAX_ALTERNATES ? null : await readFile(join(directory, 'info', 'alternates'), 'utf8').catch(absent)
  const lines = (text ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const named = lines.map((line) => (isAbsolute(line) ? line : resolve(directory, line)))
  const nested = await Promise.all(named.map((next) => alternatesOf(next, depth + 1)))
  return [...named, ...nested.flat()]
}

async function indexFiles(directory: string): Promise<string[]> {
  const names = (await readdir(join(directory, 'pack')).catch(absent)) ?? []
  return names.filter((name) => name.endsWith('.idx')).map((name) => join(directory, 'pack', name))
}

class Objects implements ObjectStore {
  readonly #directory: string
  readonly #packs = new Map<string, PackFile>()
  #directories: readonly string[] = []
  #scan: Promise<void> = Promise.resolve()
  #closed = false

  constructor(directory: string) {
    this.#directory = directory
  }

  read(oid: Oid, maxBytes: number): Promise<RawObject | null> {
    return this.#read(oid, maxBytes, 0)
  }

  async #read(oid: Oid, maxBytes: number, depth: number): Promise<RawObject | null> {
    if (depth > MAX_BASES) throw new GitError('Corrupt', 'deltas refer to each other in a circle')
    if (oid === EMPTY_TREE) return { type: 'tree', content: Buffer.alloc(0) }
    if (this.#directories.length === 0) await this.#rescan()
    // A miss may mean that git has just packed or fetched: look again once, as git itself does.
    const find = () => this.#find(oid, maxBytes, depth)
    const object = (await find()) ?? (await this.#rescan().then(find))
    if (object !== null && objectId(object.type, object.content) !== oid) throw new GitError('Corrupt', `object ${oid} has other content`)
    return object
  }

  async has(oid: Oid): Promise<boolean> {
    const found = async () => {
      if ([...this.#packs.values()].some((pack) => pack.index.offsetOf(oid) !== null)) return true
      const loose = await Promise.all(this.#directories.map((directory) => stat(loosePath(directory, oid)).catch(absent)))
      return loose.some((file) => file !== null)
    }
    return oid === EMPTY_TREE || (await found()) || (await this.#rescan().then(found))
  }

  async packs(): Promise<number> {
    return (await indexFiles(this.#directory)).length
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#scan
    await Promise.all([...this.#packs.values()].map((pack) => pack.close()))
    this.#packs.clear()
  }

  async #find(oid: Oid, maxBytes: number, depth: number): Promise<RawObject | null> {
    for (const pack of this.#packs.values()) {
      const offset = pack.index.offsetOf(oid)
      if (offset === null) continue
      const object = await this.#fromPack(() => pack.read(offset, maxBytes, (base, limit) => this.#read(base, limit, depth + 1)))
      if (object !== null) return object
    }
    for (const directory of this.#directories) {
      const object = await readLoose(directory, oid, maxBytes)
      if (object !== null) return object
    }
    return null
  }

  async #fromPack(read: () => Promise<RawObject>): Promise<RawObject | null> {
    try {
      return await read()
    } catch (error) {
      // git gc has replaced the pack and a scan closed it meanwhile: the object is in the new one.
      if (error instanceof Error && 'code' in error && error.code === 'EBADF' && !this.#closed) return null
      throw error
    }
  }

  #rescan(): Promise<void> {
    const scan = this.#scan.then(() => this.#scanNow())
    // The next scan must run whatever became of this one; its own caller gets the error.
    this.#scan = scan.catch(() => undefined)
    return scan
  }

  async #scanNow(): Promise<void> {
    if (this.#closed) throw new GitError('Corrupt', 'the repository is closed')
    this.#directories = [this.#directory, ...(await alternatesOf(this.#directory, 0))]
    const present = new Set((await Promise.all(this.#directories.map(indexFiles))).flat())
    for (const file of present) {
      if (this.#packs.has(file)) continue
      const pack = await PackFile.open(file).catch(absent)
      if (pack !== null) this.#packs.set(file, pack)
    }
    for (const [file, pack] of this.#packs) {
      if (present.has(file)) continue
      this.#packs.delete(file)
      await pack.close()
    }
  }
}

/** `directory` is the repository's `objects` folder. Nothing is opened until the first read. */
export const openObjects = (directory: string): ObjectStore => new Objects(directory)
