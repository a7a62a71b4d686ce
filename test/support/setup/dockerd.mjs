import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { lstat, mkdir, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { engineAnswers } from './engine.mjs'
import { findProgram, runProgram } from './install.mjs'

const START_DEADLINE_MS = 60_000
const STOP_DEADLINE_MS = 30_000
const POLL_MS = 50

/** What to try next when the daemon would not start: kernels without nf_tables, then file systems without overlay. */
const FALLBACKS = [
  { iptables: 'iptables', args: [] },
  { iptables: 'iptables-legacy', args: [] },
  { iptables: 'iptables', args: ['--storage-driver=vfs'] },
  { iptables: 'iptables-legacy', args: ['--storage-driver=vfs'] },
]

/**
 * Starts a daemon of our own with everything below `directory` (`docker.sock`, `data`, `exec`, `log`), detached,
 * and waits until it answers. It has no default bridge: two daemons would delete `docker0` under each other,
 * and networks that are made by name work without it.
 * @returns its process id
 * @throws Error with the end of its log
 */
export async function startDaemon({ dockerd, directory, args }) {
  await ownFolder(directory)
  let failure = ''
  for (const fallback of FALLBACKS) {
    const outcome = await tryStart({ dockerd, directory, args: [...args, ...fallback.args], iptables: fallback.iptables })
    if (outcome.pid !== undefined) return outcome.pid
    failure = outcome.failure
  }
  throw new Error(`dockerd did not start in ${directory}:\n${failure}`)
}

async function tryStart({ dockerd, directory, args, iptables }) {
  await removeStalePidFile(join(directory, 'docker.pid'))
  const log = openSync(join(directory, 'log'), 'a', 0o600)
  const child = spawn(dockerd, [...locations(directory), '--bridge=none', ...args], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...process.env, PATH: await searchPath(directory, iptables) },
  })
  closeSync(log)
  child.unref()
  const ended = new Promise((resolve) => {
    child.once('error', () => resolve('ended'))
    child.once('exit', () => resolve('ended'))
  })
  const answered = await Promise.race([ended, waitForAnswer(join(directory, 'docker.sock'))])
  if (answered === 'answers') return { pid: child.pid }
  if (answered === 'silent') await stopDaemon(child.pid)
  return { failure: await logEnd(directory) }
}

/** Where one daemon keeps its things, so that several can live on one machine. */
function locations(directory) {
  const at = (name) => join(directory, name)
  return ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid'), '-H', `unix://${at('docker.sock')}`]
}

async function waitForAnswer(socketPath) {
  const deadline = performance.now() + START_DEADLINE_MS
  while (performance.now() < deadline) {
    if (await engineAnswers(socketPath)) return 'answers'
    await sleep(POLL_MS)
  }
  return 'silent'
}

/** TERM, then KILL after 30 s; returns when it has gone. A process that is no dockerd (any more) is left alone. */
export async function stopDaemon(pid) {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    if (!(await isDockerd(pid))) return
    process.kill(pid, signal)
    const deadline = performance.now() + STOP_DEADLINE_MS
    while ((await isDockerd(pid)) && performance.now() < deadline) await sleep(POLL_MS)
  }
}

/** True while this process is a dockerd that has not ended; a zombie has. */
export async function isDockerd(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return status.startsWith('Name:\tdockerd\n') && !/^State:\tZ/m.test(status)
}

/** dockerd refuses to start when any process at all has the number in a left-over file. */
async function removeStalePidFile(path) {
  const text = await readFile(path, 'utf8').catch(() => '')
  if (text !== '' && !(await isDockerd(Number(text)))) await rm(path, { force: true })
}

/** Nobody else may have made the folder first: the socket in it is as good as root. */
export async function ownFolder(directory) {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const { uid } = await lstat(directory)
  if (uid !== process.getuid?.()) throw new Error(`${directory} belongs to user ${uid}`)
}

/** A folder with the wanted `iptables` first, so that nothing on the machine itself is switched over. */
async function searchPath(directory, iptables) {
  const standard = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`
  const program = await findProgram(iptables)
  if (iptables === 'iptables' || program === null) return standard
  const folder = join(directory, 'bin')
  await mkdir(folder, { recursive: true })
  await rm(join(folder, 'iptables'), { force: true })
  await symlink(program, join(folder, 'iptables'))
  return `${folder}:${standard}`
}

async function logEnd(directory) {
  const text = await readFile(join(directory, 'log'), 'utf8')
  return text.split('\n').slice(-8).join('\n')
}

/** Removes a daemon's folder; what a killed one left mounted is unmounted first, the deepest first. */
export async function removeDaemonFolder(directory) {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '')
  const inside = mounts.filter((path) => path.startsWith(`${directory}/`)).reverse()
  for (const path of inside) await runProgram('umount', ['-l', path])
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
}
