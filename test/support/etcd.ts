import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { must } from '../../src/lib/must.ts'
import { waitUntil } from './wait-until.ts'

const run = promisify(execFile)

/** One real etcd on loopback, with its data in a temporary directory. */
export interface EtcdServer {
  /** `127.0.0.1:port`, the same after a restart. */
  readonly host: string
  /** For `openStore`, with the given prefix. */
  url(prefix: string): string
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: it keeps its connections and answers nothing. Resolves when each of its threads has stopped. */
  stop(): Promise<void>
  /** SIGCONT. */
  cont(): void
  /** Starts it again on the same data and port, killing it before if need be. */
  restart(): Promise<void>
  /** Starts it on a copy of its data, or on none: as after a disk was lost, or an older snapshot brought back. */
  restartWith(copy: string | null): Promise<void>
  /** A copy of its data as it is now, for `restartWith`; it is restarted for that. */
  copy(): Promise<string>
  /** Standard output of `etcdctl ARGS`. */
  etcdctl(...args: string[]): Promise<string>
  /** Ends it and removes its data. */
  close(): Promise<void>
}

/** Files, PEM. With `client` etcd wants a certificate of whoever asks, and that is one. */
interface EtcdTls {
  readonly ca: string
  readonly cert: string
  readonly key: string
  readonly client?: { readonly cert: string; readonly key: string }
}

export interface EtcdOptions {
  /** Beyond it etcd raises the alarm NOSPACE. */
  readonly quotaBytes?: number
  /** Null: plain. */
  readonly tls?: EtcdTls | null
}

/** @throws Error when etcd is not installed or does not start. */
export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdServer> {
  const [only] = await startEtcdMembers(1, options)
  return must(only, 'one member was started')
}

/** The members of one cluster; each serves as long as a majority lives. */
export async function startEtcdMembers(count: number, options: EtcdOptions = {}): Promise<EtcdServer[]> {
  const binary = await findBinary('etcd')
  const ports = await freePorts(2 * count)
  const places = await Promise.all(
    Array.from({ length: count }, async (_, index) => ({
      name: `test${index}`,
      dataDir: await mkdtemp(join(tmpdir(), 'drover-etcd-')),
      client: must(ports[2 * index], 'a port'),
      peer: must(ports[2 * index + 1], 'a port'),
    })),
  )
  const members = places.map((place) => member(binary, { place, args: etcdArguments(place, places, options), tls: options.tls ?? null }))
  await Promise.all(members.map(({ restart }) => restart()))
  return members
}

interface Place {
  readonly name: string
  readonly dataDir: string
  readonly client: number
  readonly peer: number
}

interface Member {
  readonly place: Place
  readonly args: readonly string[]
  readonly tls: EtcdTls | null
}

function member(binary: string, { place: { dataDir, client }, args, tls }: Member): EtcdServer {
  let child: ChildProcess | null = null

  const kill = async () => {
    const running = child
    child = null
    if (running === null || running.exitCode !== null || running.signalCode !== null) return
    const exited = once(running, 'exit')
    running.kill('SIGKILL')
    await exited
  }
  const etcdctl = async (...rest: string[]) => {
    const env = { ...process.env, ETCDCTL_API: '3' }
    const trusting = tls === null ? [] : ['--cacert', tls.ca, ...clientArguments(tls)]
    const { stdout } = await run('etcdctl', ['--endpoints', `127.0.0.1:${client}`, '--command-timeout', '2s', ...trusting, ...rest], {
      env,
    })
    return stdout
  }
  const restart = async () => {
    await kill()
    child = spawn(binary, args, { stdio: 'ignore' })
    // Not `endpoint health`: a member that is out of space is unhealthy, and serves.
    await waitUntil(async () => (await etcdctl('get', 'any')) !== null, { timeoutMs: 20_000 })
  }
  return {
    host: `127.0.0.1:${client}`,
    url: (prefix) => `etcd://127.0.0.1:${client}/${prefix}`,
    kill,
    stop: async () => {
      const running = must(child, 'etcd runs')
      running.kill('SIGSTOP')
      await waitUntil(async () => (await threadStates(must(running.pid, 'etcd has a pid'))).every((state) => state === 'T'))
    },
    cont: () => void must(child, 'etcd runs').kill('SIGCONT'),
    restart,
    restartWith: async (copy) => {
      await kill()
      await rm(dataDir, { recursive: true })
      if (copy !== null) await cp(copy, dataDir, { recursive: true })
      await restart()
    },
    copy: async () => {
      await kill()
      const copy = `${dataDir}-copy`
      await cp(dataDir, copy, { recursive: true })
      await restart()
      return copy
    },
    etcdctl,
    close: async () => {
      await kill()
      await rm(dataDir, { recursive: true, force: true })
      await rm(`${dataDir}-copy`, { recursive: true, force: true })
    },
  }
}

/** One letter a thread, from field 3 of Linux' stat. */
async function threadStates(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')))
  return stats.map((stat) => stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
}

const clientArguments = ({ client }: EtcdTls): string[] => (client === undefined ? [] : ['--cert', client.cert, '--key', client.key])

/** Fast elections, so that members serve soon after their start. */
function etcdArguments({ name, dataDir, client, peer }: Place, all: readonly Place[], { quotaBytes, tls = null }: EtcdOptions): string[] {
  const clientUrl = `${tls === null ? 'http' : 'https'}://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const options = {
    name,
    'data-dir': dataDir,
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': all.map((place) => `${place.name}=http://127.0.0.1:${place.peer}`).join(','),
    'heartbeat-interval': '20',
    'election-timeout': '200',
    'log-level': 'error',
    ...(quotaBytes === undefined ? {} : { 'quota-backend-bytes': String(quotaBytes) }),
  }
  const secure = tls === null ? [] : [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`]
  const mutual = tls?.client === undefined ? [] : ['--client-cert-auth', `--trusted-ca-file=${tls.ca}`]
  return [...Object.entries(options).flatMap(([key, value]) => [`--${key}`, value]), ...secure, ...mutual]
}

async function findBinary(name: string): Promise<string> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name)
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  throw new Error(`${name} is not installed; these tests need it (Debian: apt-get install etcd-server etcd-client)`)
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere))
  const ports = servers.map(portOf)
  await Promise.all(servers.map((server) => promisify(server.close.bind(server))()))
  return ports
}

async function listenAnywhere() {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

export function portOf(server: { address(): unknown }): number {
  const address = server.address()
  if (address !== null && typeof address === 'object' && 'port' in address && typeof address.port === 'number') return address.port
  throw new Error('not listening')
}
