import { execFile } from 'node:child_process'
import { access, constants, readdir, readFile, stat, statfs } from 'node:fs/promises'
import { request } from 'node:http'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { messageOf } from './exit.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { agentUnits } from './systemd-units.ts'

interface DoctorInput {
  readonly dataDir: string
  readonly server: string
  readonly fetch: typeof fetch
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where systemd's units are looked for. */
  readonly unitFolders: readonly string[]
}

export const UNIT_FOLDERS: readonly string[] = ['/etc/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system']

/** A check never throws for what it looks for: what is missing is a finding. */
export type DoctorCheck = (input: DoctorInput) => Promise<Finding>

const run = promisify(execFile)
/** Milliseconds a look at anything local may take. */
const PATIENCE = 3_000

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
const DockerInfo = z.object({
  LiveRestoreEnabled: z.boolean().optional(),
  CgroupDriver: z.string().optional(),
})

async function docker({ env }: DoctorInput): Promise<Finding> {
  const socket = socketOf(env)
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

const socketOf = (env: DoctorInput['env']): string => (env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '')

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

/** What limits of processes and containers need. */
const CONTROLLERS = ['cpu', 'memory', 'pids']

async function cgroup(): Promise<Finding> {
  const listed = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => null)
  const v2 = listed !== null && listed.trim() !== ''
  const root = v2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory'
  const there = v2 ? listed.trim().split(' ') : await readdir('/sys/fs/cgroup').catch(() => [])
  const missing = CONTROLLERS.filter((controller) => !there.some((name) => name.split(',').includes(controller)))
  const fix = 'boot with `cgroup_enable=memory swapaccount=1`, or let systemd hold them: Delegate=yes in the unit of the agent'
  if (missing.length > 0) return warn('cgroup', `no controller ${missing.join(', ')}: limits of these do not hold`, fix)
  try {
    await access(root, constants.W_OK)
    return ok('cgroup', `${v2 ? 'v2' : 'v1'}, writable, with ${CONTROLLERS.join(', ')}`)
  } catch {
    return warn('cgroup', `${root} cannot be written`, 'run the agent as root or with a delegated cgroup to limit processes')
  }
}

/** Two managers of one tree of cgroups take it from each other, which shows under memory pressure. */
async function cgroupDriver({ env }: DoctorInput): Promise<Finding> {
  const check = 'cgroup driver'
  const init = (await readFile('/proc/1/comm', 'utf8').catch(() => '')).trim()
  try {
    const { CgroupDriver = 'unknown' } = DockerInfo.parse(await dockerGet(socketOf(env), '/info'))
    if (init !== 'systemd' || CgroupDriver === 'systemd') return ok(check, `Docker: ${CgroupDriver}, process 1: ${init}`)
    const fix = 'set "exec-opts": ["native.cgroupdriver=systemd"] in /etc/docker/daemon.json, and restart Docker'
    return warn(check, `Docker uses ${CgroupDriver}, and systemd runs this machine`, fix)
  } catch {
    return ok(check, 'no Docker to ask')
  }
}

async function setpriv(): Promise<Finding> {
  try {
    const { stdout } = await run('setpriv', ['--version'], { timeout: PATIENCE })
    return ok('setpriv', stdout.trim())
  } catch {
    return warn('setpriv', 'no setpriv command was found', 'install util-linux: processes run as another user by it')
  }
}

/** The default ends every task with the agent's unit, so that an upgrade of the agent stops the machine's work. */
async function units({ unitFolders }: DoctorInput): Promise<Finding> {
  const found = await agentUnits(unitFolders)
  const killing = found.find(({ killMode }) => killMode !== 'process' && killMode !== 'none')
  if (killing !== undefined)
    return fail(
      'systemd unit',
      `${killing.path}: KillMode=${killing.killMode} ends every task with the agent`,
      'set KillMode=process and Delegate=yes in it, then `systemctl daemon-reload`',
    )
  const held = found.find(({ delegate }) => !delegate)
  if (held !== undefined)
    return warn(
      'systemd unit',
      `${held.path}: systemd may move processes out of their cgroups`,
      'set Delegate=yes in it, then `systemctl daemon-reload`',
    )
  return ok('systemd unit', found.length === 0 ? 'none starts an agent here' : found.map(({ path }) => path).join(', '))
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

export const DOCTOR_CHECKS: readonly DoctorCheck[] = [
  nodeVersion,
  gitCli,
  docker,
  cgroup,
  cgroupDriver,
  sandbox,
  setpriv,
  units,
  dataDir,
  descriptors,
  disk,
  server,
]
