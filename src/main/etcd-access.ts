import { readFile } from 'node:fs/promises'
import type { EtcdOptions } from '../cli/deps.ts'
import { CliError, EXIT } from '../cli/exit.ts'
import { messageOf } from '../lib/errors.ts'
import type { EtcdAccess } from '../store/etcd/client.ts'

/** What the options name, read. @throws CliError 2 for options that do not go together, or a file that cannot be read */
export async function etcdAccessOf(options: EtcdOptions): Promise<EtcdAccess> {
  return { tls: await tlsOf(options), user: await userOf(options) }
}

async function tlsOf({ ca, cert, key }: EtcdOptions): Promise<EtcdAccess['tls']> {
  if ((cert === null) !== (key === null))
    throw new CliError(EXIT.usage, '--etcd-cert and --etcd-key belong together', 'give both, or neither')
  if (ca === null && cert !== null)
    throw new CliError(EXIT.usage, '--etcd-cert says who this server is, and nothing who etcd is', 'give --etcd-ca too')
  if (ca === null) return null
  return { ca: await read(ca), cert: cert === null ? null : await read(cert), key: key === null ? null : await read(key) }
}

async function userOf({ user, passwordFile }: EtcdOptions): Promise<EtcdAccess['user']> {
  if ((user === null) !== (passwordFile === null))
    throw new CliError(EXIT.usage, '--etcd-user and --etcd-password-file belong together', 'give both, or neither')
  return user === null || passwordFile === null ? null : { name: user, password: (await read(passwordFile)).toString().trim() }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new CliError(EXIT.usage, `cannot read ${path}: ${messageOf(error)}`)
  }
}
