import { join } from 'node:path'
import { joinAsServer } from '../../runtime/enrol.ts'
import { createApi } from '../api/app.ts'
import { serveApi } from '../api/serve.ts'
import type { ServerOptions } from '../cli/deps.ts'
import { CliError, EXIT } from '../cli/exit.ts'
import type { ControlTrust } from '../control/control.ts'
import { readIdentity } from '../control/leader/identity.ts'
import { systemClock } from '../lib/clock.ts'
import { TerminalError } from '../lib/errors.ts'
import { must } from '../lib/must.ts'
import type { Keyring } from '../lib/seal.ts'
import { openStore } from '../store/open.ts'
import type { OpenedStore } from '../store/store.ts'
import { guardOf, openTrust, WILDCARDS } from './access.ts'
import { readMembership, writeMembership } from './cluster-file.ts'
import { newId, openControl } from './control-plane.ts'
import { lockDataDir } from './data-dir.ts'
import { enterStore, rememberStore } from './enter-store.ts'
import { etcdAccessOf } from './etcd-access.ts'
import { type Closers, inForeground, type Parts, untilTold } from './foreground.ts'
import { keepClusterKey, keyringOf } from './keyring.ts'
import { onceStoreAnswers } from './store-answers.ts'
import type { Surroundings } from './surroundings.ts'

/** A control plane that leads or stands by, for agents on other machines, until the signal aborts. */
export async function server(options: ServerOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  const advertise = advertiseOf(options)
  const lock = await lockDataDir(options.dataDir)
  try {
    await joinCluster(options, around, signal)
    return await withStore(options, { ...around, advertise }, signal)
  } finally {
    await lock.release()
  }
}

/** Where standbys send callers. @throws CliError 2 when that cannot be known from where it listens */
function advertiseOf({ advertise, host, port }: ServerOptions): string {
  if (advertise !== null) return advertise
  if (!WILDCARDS.has(host) && port !== 0) return `https://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
  const hint = 'give --advertise https://ADDRESS:PORT, or listen on one address'
  throw new CliError(EXIT.usage, `--listen ${host}:${port} does not say where others reach this server`, hint)
}

/** Once: a server that is in a cluster stays in it, whatever the token has become. */
async function joinCluster({ dataDir, join: asked }: ServerOptions, { log, say }: Surroundings, signal: AbortSignal): Promise<void> {
  if (asked === null || (await readMembership(dataDir)) !== null) return
  const joining = { servers: [asked.url], token: asked.token, clock: systemClock, random: Math.random, log }
  const { cluster, key } = await joinAsServer(joining, signal)
  await keepClusterKey(dataDir, key)
  await writeMembership(dataDir, { cluster, state: 'Member', revision: '0', epochBase: 0 })
  say(`joined cluster ${cluster} as another server; the token is not needed any more`)
}

interface Around extends Surroundings {
  readonly advertise: string
}

async function withStore(options: ServerOptions, around: Around, signal: AbortSignal): Promise<number> {
  const { dataDir, acceptStore } = options
  const access = { etcd: await etcdAccessOf(options.etcd), clock: systemClock, log: around.log }
  const store = await openStore(options.store, { dataDir: join(dataDir, 'store'), ...access })
  try {
    const place = options.store === 'embedded' ? 'Own' : 'Shared'
    const entering = { store, dataDir, accept: acceptStore, place, clock: systemClock, newId } as const
    await onceStoreAnswers(() => enterStore(entering), { clock: systemClock, log: around.log, signal })
    return await inForeground((closers, either) => openParts(options, { ...around, store, closers }, either), signal)
  } finally {
    await store.close()
  }
}

interface Open extends Around {
  readonly store: OpenedStore
  readonly closers: Closers
}

/** It listens before it campaigns: a leader that nobody reaches would only keep others from leading. */
async function openParts(options: ServerOptions, open: Open, signal: AbortSignal): Promise<Parts> {
  const { log, version, say, closers, store, advertise } = open
  const { dataDir, host, port } = options
  const keyring = await keyringOf(dataDir)
  const trust = await onceStoreAnswers(() => trustOf(options, { ...open, keyring }), { clock: systemClock, log, signal })
  const control = await openControl(options, { ...open, keyring, advertise, trust, signal })
  const { plane, gate, leader } = control
  const parts = { control: plane, gate, guard: guardOf(control, trust), leader, log, clock: systemClock }
  const serving = await serveApi({ ...parts, api: createApi(parts), host, port })
  closers.push(() => serving.close())
  const leading = control.run(signal)
  closers.push(() => Promise.allSettled([leading]))
  say(`drover ${version}, server at ${serving.url} (${advertise} to others), following ${options.repo} ${options.ref}`)
  const remembering = rememberStore({ store, dataDir, clock: systemClock, log }, signal)
  return { end: untilTold(signal), parts: [leading, remembering] }
}

/** @throws CliError when the key of this data directory is not that of the cluster */
async function trustOf(
  { dataDir, host }: ServerOptions,
  { store, keyring, advertise, log, say }: Open & { keyring: Keyring },
): Promise<ControlTrust> {
  const { id } = must(await readIdentity(store), 'the store holds the cluster')
  try {
    return await openTrust({ store, cluster: id, dataDir, keyring, host, advertise, log, say })
  } catch (error) {
    if (!(error instanceof TerminalError) || error.code !== 'SecretUnreadable') throw error
    const hint = 'copy secrets.key from a server of the cluster, or join with an empty --data-dir: --join URL --token-file FILE'
    throw new CliError(EXIT.error, `${join(dataDir, 'secrets.key')} is not the key of cluster ${id}`, hint)
  }
}
