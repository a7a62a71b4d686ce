import { execFile } from 'node:child_process'
import { access, constants, readFile, stat, statfs } from 'node:fs/promises'
import { request } from 'node:http'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { messageOf } from './exit.ts'

export interface Finding {
  readonly check: string
  readonly verdict: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do about it; null when nothing. */
  readonly fix: string | null
}

interface DoctorInput {
  readonly dataDir: string
  readonly server: string
  readonly fetch: typeof fetch
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A check never throws for what it looks for: what is missing is a finding. */
export type DoctorCheck = (input: DoctorInput) => Promise<Finding>

const run = promisify(execFile)
/** Milliseconds a look at anything local may take. */
const PATIENCE = 3_000

const ok = (check: string, detail: string): Finding => ({ check, verdict: 'ok', detail, fix: null })
const warn = (check: string, detail: string, fix: string): Finding => ({ check, verdict: 'warn', detail, fix })
const fail = (check: string, detail: string, fix: string): Finding => ({ check, verdict: 'fail', detail, fix })

async function nodeVersion(): Promise<Finding> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const enough = major > 20 || (major === 20 && minor >= 19)
  return enough ? ok('node', process.version) : fail('node', `${process.version} is too old`, 'install Node.js 20.19 or newer')
}

async function gitCli(): Promise<Finding> {
  try {
    const { stdout } = await run('git', ['--version'], { timeout: PATIENCE })
    return ok('git', stdout.trim())
  } catch {
    return warn('git', 'no git command was found', 'install git for ssh repositories; https and local ones work without')
  }
}

const DockerVersion = z.object({ Version: z.string() })
const DockerInfo = z.object({ LiveRestoreEnabled: z.boolean().optional() })

async function docker({ env }: DoctorInput): Promise<Finding> {
  const socket = (env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '')
  try {
    const { Version } = DockerVersion.parse(await dockerGet(socket, '/version'))
    const info = DockerInfo.parse(await dockerGet(socket, '/info'))
    if (info.LiveRestoreEnabled === true) return ok('docker', `${Version}, live-restore is on`)
    return warn(
      'docker',
      `${Version}, live-restore is off`,
      'set "live-restore": true in /etc/docker/daemon.json, or an upgrade of Docker stops every container',
    )
  } catch (error) {
    return warn('docker', `${socket}: ${messageOf(error)}`, 'start Docker, or join its group, to run containers; processes need none')
  }
}

function dockerGet(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, signal: AbortSignal.timeout(PATIENCE) }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
        } catch (error) {
          reject(error)
        }
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

async function cgroup(): Promise<Finding> {
  const v2 = await readable('/sys/fs/cgroup/cgroup.controllers')
  const root = v2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory'
  try {
    await access(root, constants.W_OK)
    return ok('cgroup', `${v2 ? 'v2' : 'v1'}, writable`)
  } catch {
    return warn('cgroup', `${root} cannot be written`, 'run the agent as root or with a delegated cgroup to limit processes')
  }
}

async function sandbox(): Promise<Finding> {
  try {
    await run('bwrap', ['--ro-bind', '/', '/', '--unshare-pid', '--proc', '/proc', 'true'], { timeout: PATIENCE })
    return ok('sandbox', 'bwrap works')
  } catch (error) {
    const [said = ''] = messageOf(error).trim().split('\n').slice(-1)
    return warn('sandbox', said, 'install bubblewrap to run processes with isolation: sandbox')
  }
}

const readable = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    () => false,
  )

async function dataDir({ dataDir: path }: DoctorInput): Promise<Finding> {
  try {
    const info = await stat(path)
    await access(path, constants.W_OK)
    const open = (info.mode & 0o077) !== 0
    return open ? warn('data-dir', `${path} can be read by others`, `chmod 700 ${path}`) : ok('data-dir', path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ok('data-dir', `${path} is not there yet`)
    return fail('data-dir', `${path} cannot be written`, 'choose another --data-dir or mend its owner')
  }
}

/** etcd, git and every task with logs hold descriptors; Linux gives 1024 unless told. */
const DESCRIPTORS = 8192

async function descriptors(): Promise<Finding> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN)
  if (Number.isNaN(soft)) return warn('open files', 'the limit is not known here', `make sure it is at least ${DESCRIPTORS}`)
  return soft >= DESCRIPTORS
    ? ok('open files', String(soft))
    : warn('open files', `the limit is ${soft}`, `raise it: ulimit -n ${DESCRIPTORS}`)
}

const GIBIBYTE = 2 ** 30

async function disk({ dataDir: path }: DoctorInput): Promise<Finding> {
  const there = await nearest(path)
  const { bavail, bsize } = await statfs(there)
  const free = (bavail * bsize) / GIBIBYTE
  const detail = `${free.toFixed(1)} GiB free at ${there}`
  return free < 1 ? fail('disk', detail, 'free at least 1 GiB') : ok('disk', detail)
}

const nearest = async (path: string): Promise<string> =>
  (await stat(path).catch(() => null)) !== null || path === dirname(path) ? path : nearest(dirname(path))

async function server({ server: url, fetch }: DoctorInput): Promise<Finding> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PATIENCE) })
    return answer.ok ? ok('server', `${url} is ready`) : warn('server', `${url} answers ${answer.status}`, 'see the log of the server')
  } catch {
    return warn('server', `nothing answers at ${url}`, 'start one with `drover up --repo PATH`, or set --server or DROVER_SERVER')
  }
}

export const DOCTOR_CHECKS: readonly DoctorCheck[] = [nodeVersion, gitCli, docker, cgroup, sandbox, dataDir, descriptors, disk, server]
