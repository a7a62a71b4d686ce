import { resolve } from 'node:path'
import type { BackupSource } from '../deps.ts'
import { type EtcdFlags, etcdOptionsOf } from '../etcd-flags.ts'
import { CliError, EXIT } from '../exit.ts'
import { escapeText } from '../output/escape.ts'
import type { Command, Session } from '../session.ts'

export interface BackupFlags extends EtcdFlags {
  readonly out: string
  readonly store?: string
  readonly dataDir: string
  readonly recipient: readonly string[]
  readonly includeKey?: boolean
}

/** Everything the store holds, at one revision, in a file for its owner alone. */
export const backup: Command<BackupFlags> = async (session, _, flags) => {
  const { deps, printer } = session
  const { out, recipient, includeKey, dataDir } = flags
  if (includeKey === true && recipient.length === 0)
    throw new CliError(EXIT.usage, '--include-key puts the key of all secrets into the file', 'encrypt it: add --recipient age1...')
  const tools = await deps.backups()
  const kept = await tools.keep(await sourceOf(session, flags), {
    out: resolve(deps.cwd, out),
    recipients: recipient,
    keyFrom: includeKey === true ? resolve(deps.cwd, dataDir) : null,
  })
  printer.say(escapeText(`${out}: ${kept.items} keys of cluster ${kept.cluster} at revision ${kept.revision}, ${kept.bytes} bytes`))
  if (includeKey !== true)
    printer.say('the key of secrets (secrets.key in the data directory of a server) is not in it: keep a copy of that too, elsewhere')
  return EXIT.ok
}

async function sourceOf({ client, deps }: Session, { store, dataDir, ...flags }: BackupFlags): Promise<BackupSource> {
  if (store !== undefined) return { kind: 'store', store, dataDir: resolve(deps.cwd, dataDir), etcd: etcdOptionsOf(flags) }
  return { kind: 'server', lines: await (await client()).stream('/api/v1/backup', deps.signal) }
}

export interface RestoreFlags extends EtcdFlags {
  readonly store: string
  readonly dataDir: string
  readonly ageKeyFile?: string
}

/** A backup into an empty store. */
export const restore: Command<RestoreFlags> = async ({ deps, printer }, [file = ''], { store, dataDir, ageKeyFile, ...flags }) => {
  const tools = await deps.backups()
  const into = { store, dataDir: resolve(deps.cwd, dataDir), etcd: etcdOptionsOf(flags) }
  const restored = await tools.restore({ ...into, file: resolve(deps.cwd, file), ageKeyFile: ageKeyFile ?? null })
  const { cluster, incarnation, items } = restored
  printer.say(escapeText(`cluster ${cluster} is in ${store}, ${items} keys, incarnation ${incarnation}: start the servers`))
  return EXIT.ok
}
