import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { messageOf, TerminalError } from '../lib/errors.ts'
import { type Backup, BackupEnd, BackupHeader, BackupItem, type BackupLine, backupHeader } from '../model/backup.ts'
import type { Digest, Millis } from '../model/ids.ts'
import { ClusterIdentity } from '../model/records.ts'
import { readBlob } from './blobs.ts'
import { decodeItem } from './codec.ts'
import { IDENTITY_KEY, LEADER_KEY, RESTORING_KEY, TURN_KEY } from './keys.ts'
import type { Item, Store } from './store.ts'

/** Of one life of the store, or in the header. */
const LEFT_OUT: ReadonlySet<string> = new Set([LEADER_KEY, TURN_KEY, RESTORING_KEY, IDENTITY_KEY])

/**
 * Everything in the store at one revision, as lines.
 * @throws TerminalError `NothingToBackUp` for a store without a cluster.
 */
export async function* backupLines(store: Pick<Store, 'list'>, about: { version: string; now: Millis }): AsyncGenerator<BackupLine> {
  const { items, revision } = await store.list('')
  const cluster = items.find(({ key }) => key === IDENTITY_KEY)
  if (cluster === undefined) throw new TerminalError('NothingToBackUp', 'the store holds no cluster')
  const digest = createHash('sha256')
  const line = <T extends BackupLine>(value: T): T => {
    digest.update(textOf(value))
    return value
  }
  const record = ClusterIdentity.parse(JSON.parse(cluster.value))
  yield line(backupHeader({ cluster: record, revision, takenAt: about.now, version: about.version }))
  const kept = items.filter(({ key }) => !LEFT_OUT.has(key))
  for (const { key, value } of kept) yield line({ key, value })
  yield { items: kept.length, sha256: digest.digest('hex') }
}

export const textOf = (line: BackupLine): string => `${JSON.stringify(line)}\n`

/**
 * Reads what `backupLines` wrote, and looks at every record and every body.
 * @throws TerminalError `BadBackup` for what is torn, changed, of another format, or holds what no store of ours would.
 */
export async function parseBackup(text: string): Promise<Backup> {
  const lines = text.split('\n').slice(0, -1)
  const end = parseLine(BackupEnd, lines.at(-1), 'it is torn: its end is missing')
  const body = lines.slice(0, -1)
  const digest = createHash('sha256')
  for (const line of body) digest.update(`${line}\n`)
  if (digest.digest('hex') !== end.sha256) throw bad('it was changed: its content is not what its checksum says')
  const header = parseLine(BackupHeader, body[0], 'its first line is no header of this format')
  const items = body.slice(1).map((line) => parseLine(BackupItem, line, 'a line of it is no key and value'))
  if (items.length !== end.items) throw bad(`it holds ${items.length} keys, and says ${end.items}`)
  await checkItems(items)
  return { header, items }
}

function parseLine<T>(schema: z.ZodType<T>, line: string | undefined, problem: string): T {
  try {
    return schema.parse(JSON.parse(line ?? ''))
  } catch (cause) {
    throw new TerminalError('BadBackup', `not a whole backup: ${problem}`, { cause })
  }
}

/** A record that cannot be read, or a body that is not what its digest says, would stop the leader that loads it. */
async function checkItems(items: readonly BackupItem[]): Promise<void> {
  const values = new Map(items.map(({ key, value }) => [key, value]))
  const get = async (key: string): Promise<Item | null> => {
    const value = values.get(key)
    return value === undefined ? null : { key, value, revision: '0', createRevision: '0' }
  }
  try {
    for (const item of items) decodeItem(item)
  } catch (error) {
    throw bad(messageOf(error))
  }
  const digests = new Set(items.flatMap(({ key }) => (key.startsWith('blobs/') ? [key.split('/')[1] as Digest] : [])))
  for (const digest of digests) if ((await readBlob({ get }, digest)) === null) throw bad(`body ${digest} is not whole`)
}

const bad = (problem: string): TerminalError => new TerminalError('BadBackup', `not a whole backup: ${problem}`)
