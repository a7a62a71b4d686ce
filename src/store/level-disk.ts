import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BatchOperation, ClassicLevel } from 'classic-level'
import { messageOf, TerminalError } from '../lib/errors.ts'
import type { Disk } from './local-engine.ts'
import { EMPTY_STATE, type MvccState } from './mvcc.ts'
import { type Revision, revisionOf } from './mvcc-history.ts'
import type { Commit, Entry } from './mvcc-txn.ts'

/** Changes when the layout below does. */
const FORMAT = 1
const META = 'm'
/** 16 digits hold every safe integer. */
const revisionKey = (revision: number) => `r/${String(revision).padStart(16, '0')}`
const PAGE = 1000

type Level = ClassicLevel<string, string>
type Batch = BatchOperation<Level, string, string>[]

/**
 * Layout: `k/<key>` = "created changed value", `r/<revision>` = its events, `m` = how far history goes.
 * A whole group of commits is one synced LevelDB batch, so a crash keeps or loses it as one.
 */
export async function openLevelDisk(dataDir: string): Promise<{ disk: Disk; state: MvccState }> {
  const pidFile = join(dataDir, 'store.pid')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const db: Level = new ClassicLevel(join(dataDir, 'store'))
  await openExclusively(db, pidFile, dataDir)
  try {
    await writeFile(pidFile, `${process.pid}\n`)
    const state = await load(db, dataDir)
    return { disk: new LevelDisk(db, pidFile, state.compacted), state }
  } catch (error) {
    await db.close()
    throw error
  }
}

async function openExclusively(db: Level, pidFile: string, dataDir: string): Promise<void> {
  try {
    await db.open()
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED')) {
      throw new TerminalError('StoreNotOpened', `cannot open the store in ${dataDir}: ${messageOf(cause ?? error)}`, { cause: error })
    }
    const pid = await readFile(pidFile, 'utf8').catch(() => 'unknown')
    throw new TerminalError('StoreInUse', `another drover uses this data directory, pid ${pid.trim()}: ${dataDir}`, { cause: error })
  }
}

async function load(db: Level, dataDir: string): Promise<MvccState> {
  const meta = await db.get(META)
  if (meta === undefined) return EMPTY_STATE
  const { format, compacted } = JSON.parse(meta) as { format: number; compacted: number }
  if (format !== FORMAT) {
    throw new TerminalError('StoreFormat', `the store in ${dataDir} has format ${format}; this drover reads ${FORMAT}`)
  }
  const entries = (await readAll(db, 'k/')).map(([key, value]) => [key.slice(2), decodeEntry(value)] as const)
  const history = (await readAll(db, revisionKey(compacted))).map(([key, value]) => decodeRevision(key, value))
  return { entries, history: history.filter(({ revision }) => revision > compacted), compacted }
}

async function readAll(db: Level, from: string): Promise<[string, string][]> {
  const iterator = db.iterator({ gte: from, lt: `${from.slice(0, 1)}0` })
  const all: [string, string][] = []
  try {
    for (let page = await iterator.nextv(PAGE); page.length > 0; page = await iterator.nextv(PAGE)) all.push(...page)
  } finally {
    await iterator.close()
  }
  return all
}

const encodeEntry = ({ createRevision, revision, value }: Entry) => `${createRevision} ${revision} ${value}`

function decodeEntry(text: string): Entry {
  const first = text.indexOf(' ')
  const second = text.indexOf(' ', first + 1)
  return {
    createRevision: Number(text.slice(0, first)),
    revision: Number(text.slice(first + 1, second)),
    value: text.slice(second + 1),
  }
}

function decodeRevision(key: string, text: string): Revision {
  return { revision: Number(key.slice(2)), events: JSON.parse(text) as Revision['events'] }
}

class LevelDisk implements Disk {
  readonly #db: Level
  readonly #pidFile: string
  #compacted: number

  constructor(db: Level, pidFile: string, compacted: number) {
    this.#db = db
    this.#pidFile = pidFile
    this.#compacted = compacted
  }

  async write(commits: readonly Commit[], compacted: number): Promise<void> {
    const forgotten = Array.from({ length: compacted - this.#compacted }, (_, index) => revisionKey(this.#compacted + 1 + index))
    const operations: Batch = [
      { type: 'put', key: META, value: JSON.stringify({ format: FORMAT, compacted }) },
      ...forgotten.map((key) => ({ type: 'del' as const, key })),
      ...commits.flatMap(operationsOf),
    ]
    await this.#db.batch(operations, { sync: true })
    this.#compacted = compacted
  }

  async close(): Promise<void> {
    await rm(this.#pidFile, { force: true })
    await this.#db.close()
  }
}

function operationsOf(commit: Commit): Batch {
  const changes = [...commit.changes].map(([key, entry]): Batch[number] =>
    entry === null ? { type: 'del', key: `k/${key}` } : { type: 'put', key: `k/${key}`, value: encodeEntry(entry) },
  )
  return [...changes, { type: 'put', key: revisionKey(commit.revision), value: JSON.stringify(revisionOf(commit).events) }]
}
