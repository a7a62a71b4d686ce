import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { z } from 'zod'
import type { BackupTools, StorePlace } from '../cli/deps.ts'
import { CliError, EXIT } from '../cli/exit.ts'
import { systemClock } from '../lib/clock.ts'
import { writeDurably } from '../lib/durable-file.ts'
import { messageOf, RetryableError, TerminalError } from '../lib/errors.ts'
import type { Backup } from '../model/backup.ts'
import { isAgeFile, openAgeFile, sealAgeFile } from '../secrets/age-file.ts'
import { loadIdentities } from '../secrets/identities.ts'
import { SecretError } from '../secrets/secret-error.ts'
import { backupLines, parseBackup, textOf } from '../store/backup.ts'
import { openStore } from '../store/open.ts'
import { restoreInto } from '../store/restore.ts'
import type { Store } from '../store/store.ts'
import { writeMembership } from './cluster-file.ts'
import { lockDataDir } from './data-dir.ts'
import { etcdAccessOf } from './etcd-access.ts'
import { clusterKeyIn, KEY_FILE, keepClusterKey, keyringIn } from './keyring.ts'

interface Around {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
}

/** The first line of the file; what follows is what `backupLines` wrote, and all of it is packed by gzip. */
const Envelope = z.object({ drover: z.literal('backup-file'), format: z.literal(1), secretsKey: z.string().nullable() })

export const backupTools = ({ env, version }: Around): BackupTools => ({
  keep: (source, { out, recipients, keyFrom }) =>
    forPeople(async () => {
      const text =
        source.kind === 'server' ? await joined(source.lines) : await withStore(source, (store) => joined(linesOf(store, version)))
      const { header, items } = await parseBackup(text)
      const envelope: z.infer<typeof Envelope> = {
        drover: 'backup-file',
        format: 1,
        secretsKey: keyFrom === null ? null : await keyIn(keyFrom),
      }
      const packed = await promisify(gzip)(`${JSON.stringify(envelope)}\n${text}`)
      const bytes = recipients.length === 0 ? packed : await sealAgeFile(packed, recipients)
      await writeDurably(out, bytes)
      return { cluster: header.cluster.id, revision: header.revision, items: items.length, bytes: bytes.length }
    }),
  restore: ({ file, ageKeyFile, ...into }) =>
    forPeople(async () => {
      const { backup, secretsKey } = await readBackup(file, () => loadIdentities({ env, file: ageKeyFile }))
      return withStore(into, async (store) => {
        await mkdir(into.dataDir, { recursive: true, mode: 0o700 })
        // Before the store, or a server that starts in between would make itself another.
        if (secretsKey !== null) await keepClusterKey(into.dataDir, secretsKey)
        const cluster = await restoreInto(store, backup, systemClock.now())
        // Whoever restores it means it: a server of this data directory starts on it without being told once more.
        await writeMembership(into.dataDir, { cluster: cluster.id, state: 'Member', revision: '0', epochBase: cluster.epochBase })
        return { cluster: cluster.id, incarnation: cluster.incarnation, items: backup.items.length }
      })
    }),
})

async function* linesOf(store: Store, version: string): AsyncGenerator<string> {
  for await (const line of backupLines(store, { version, now: systemClock.now() })) yield textOf(line)
}

async function joined(lines: AsyncIterable<string>): Promise<string> {
  const parts: string[] = []
  for await (const line of lines) parts.push(line)
  return parts.join('')
}

/** An embedded store is one process's at a time, as its data directory is. */
async function withStore<T>({ store: url, dataDir, etcd }: StorePlace, use: (store: Store) => Promise<T>): Promise<T> {
  if (url === 'memory') throw new CliError(EXIT.usage, 'a store in memory is gone with its process', 'use embedded or etcd://')
  const lock = url === 'embedded' ? await lockDataDir(dataDir) : null
  try {
    const store = await openStore(url, { dataDir: join(dataDir, 'store'), etcd: await etcdAccessOf(etcd), clock: systemClock })
    try {
      return await use(store)
    } finally {
      await store.close()
    }
  } finally {
    await lock?.release()
  }
}

async function readBackup(file: string, identities: () => Promise<string[]>): Promise<{ backup: Backup; secretsKey: string | null }> {
  const bytes = await readFile(file)
  const packed = isAgeFile(bytes) ? await openAgeFile(bytes, await identities()) : bytes
  const text = await unpacked(packed)
  const first = text.indexOf('\n')
  const envelope = Envelope.safeParse(jsonOf(text.slice(0, first)))
  if (!envelope.success) throw new TerminalError('BadBackup', 'not a whole backup: its first line is not of this format')
  return { backup: await parseBackup(text.slice(first + 1)), secretsKey: envelope.data.secretsKey }
}

async function unpacked(bytes: Uint8Array): Promise<string> {
  try {
    return (await promisify(gunzip)(bytes)).toString('utf8')
  } catch (cause) {
    throw new TerminalError('BadBackup', `not a whole backup: it cannot be unpacked (${messageOf(cause)})`, { cause })
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

async function keyIn(dataDir: string): Promise<string> {
  if ((await keyringIn(dataDir)) === null)
    throw new CliError(EXIT.error, `${dataDir} holds no ${KEY_FILE}`, 'name the data directory of a server')
  return clusterKeyIn(dataDir)
}

/** @throws CliError instead of what a person can mend. */
async function forPeople<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof TerminalError || error instanceof RetryableError || error instanceof SecretError)
      throw new CliError(EXIT.error, error.message)
    throw error
  }
}
