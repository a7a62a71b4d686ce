import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../lib/durable-file.ts'
import { nullOn } from '../lib/errors.ts'
import { must } from '../lib/must.ts'
import { createKeyring, KEY_BYTES, type Keyring } from '../lib/seal.ts'

export const KEY_FILE = 'secrets.key'

/** The key that seals secrets in the store, made at the first start; it never leaves the data directory. @throws Error when the file holds none */
export async function keyringOf(dataDir: string): Promise<Keyring> {
  const there = await keyringIn(dataDir)
  if (there !== null) return there
  const key = randomBytes(KEY_BYTES)
  await writeDurably(join(dataDir, KEY_FILE), `${key.toString('hex')}\n`)
  return createKeyring(key)
}

/** Keeps the key (hex) of a cluster that is joined. @throws Error when there is another one already: what it seals would be lost */
export async function keepClusterKey(dataDir: string, key: string): Promise<void> {
  const path = join(dataDir, KEY_FILE)
  const there = await readFile(path, 'utf8').catch(nullOn('ENOENT'))
  if (there === null) return writeDurably(path, `${key}\n`)
  if (there.trim() !== key) throw new Error(`${path} is the key of another cluster; join with another --data-dir`)
}

/** Null: this directory never had one. @throws Error when the file holds none */
export async function keyringIn(dataDir: string): Promise<Keyring | null> {
  const key = await keyIn(dataDir)
  return key === null ? null : createKeyring(key)
}

/** The key itself, in hex, for a further server of the cluster. @throws Error when there is none */
export async function clusterKeyIn(dataDir: string): Promise<string> {
  return must(await keyIn(dataDir), `${join(dataDir, KEY_FILE)} is there`).toString('hex')
}

async function keyIn(dataDir: string): Promise<Buffer | null> {
  const path = join(dataDir, KEY_FILE)
  const text = await readFile(path, 'utf8').catch(nullOn('ENOENT'))
  if (text === null) return null
  const key = Buffer.from(text.trim(), 'hex')
  if (key.length !== KEY_BYTES) throw new Error(`${path} holds no key of ${KEY_BYTES} bytes in hex; restore it from a backup`)
  return key
}
