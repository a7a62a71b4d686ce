import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, constants, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
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
  /** Standard output of `etcdctl ARGS`. */
  etcdctl(...args: string[]): Promise<string>
  /** Ends it and removes its data. */
  close(): Promise<void>
}

/** @throws Error when etcd is not installed or does not start. */
export async function startEtcd(): Promise<EtcdServer> {
  const binary = await findBinary('etcd')
  const dataDir = await mkdtemp(join(tmpdir(), 'drover-etcd-'))
  const [client = 0, peer = 0] = await freePorts(2)
  const args = etcdArguments({ dataDir, client, peer })
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
    const { stdout } = await run('etcdctl', ['--endpoints', `127.0.0.1:${client}`, '--command-timeout', '2s', ...rest], { env })
    return stdout
  }
  const restart = async () => {
    await kill()
    child = spawn(binary, args, { stdio: 'ignore' })
    await waitUntil(async () => (await etcdctl('endpoint', 'health')) !== null, { timeoutMs: 20_000 })
  }
  await restart()
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
    etcdctl,
    close: async () => {
      await kill()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** One letter a thread, from field 3 of Linux' stat. */
async function threadStates(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')))
  return stats.map((stat) => stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
}

/** Fast elections, so that a single member serves soon after its start. */
function etcdArguments({ dataDir, client, peer }: { dataDir: string; client: number; peer: number }): string[] {
  const clientUrl = `http://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const options = {
    name: 'test',
    'data-dir': dataDir,
    'listen-client-urls': clientUrl,
    'advertise-client-urls': clientUrl,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `test=${peerUrl}`,
    'heartbeat-interval': '20',
    'election-timeout': '200',
    'log-level': 'error',
  }
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
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
