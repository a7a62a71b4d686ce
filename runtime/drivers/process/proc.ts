import { readdir, readFile } from 'node:fs/promises'
import { nullOn } from '../../../src/lib/errors.ts'
import { MARK_VARIABLE } from './names.ts'

/** A process for good: its pid may be given again, never with the same start time in the same boot. */
export interface Identity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  readonly startTime: string
  readonly boot: string
}

interface ProcessStat {
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  readonly startTime: string
  readonly cpuMicros: number
}

/** Clock ticks as user space sees them, in the ABI of every Linux architecture Node runs on. */
export const TICKS_PER_SECOND = 100
const MICROS_PER_TICK = 1_000_000 / TICKS_PER_SECOND
const GONE = ['ENOENT', 'ESRCH', 'ENOTDIR'] as const

const readProc = (path: string): Promise<string | null> => readFile(path, 'latin1').catch(nullOn(...GONE, 'EACCES', 'EPERM'))

export const readBootId = async (): Promise<string> => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()

async function readStat(pid: number): Promise<ProcessStat | null> {
  const text = await readProc(`/proc/${pid}/stat`)
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (position: number): string => fields[position] ?? ''
  return {
    state: field(0),
    parent: Number(field(1)),
    group: Number(field(2)),
    session: Number(field(3)),
    startTime: field(19),
    cpuMicros: (Number(field(11)) + Number(field(12))) * MICROS_PER_TICK,
  }
}

const isOver = (stat: ProcessStat): boolean => stat.state === 'Z' || stat.state === 'X'

/** Its process group while it lives; null when it is gone, a zombie, another process now, or of another boot. */
export async function livingGroup(identity: Identity, boot: string): Promise<number | null> {
  if (identity.boot !== boot) return null
  const stat = await readStat(identity.pid)
  return stat !== null && stat.startTime === identity.startTime && !isOver(stat) ? stat.group : null
}

/**
 * Signals a process, or with a negative pid its group; already gone is success.
 * 0 is what the kernel lists for a process of another namespace, and would mean our own group, as -1 means everybody.
 */
export function signalPid(pid: number, signal: NodeJS.Signals): void {
  if (Math.abs(pid) <= 1) return
  try {
    process.kill(pid, signal)
  } catch (error) {
    nullOn('ESRCH')(error)
  }
}

/** The session that the shim of an attempt began. Its number is its own while a process is in it, and anybody's after that. */
export interface ShimSession {
  readonly shim: Identity
  /** When the shim was certainly there; ticks since boot. */
  readonly heldAt: number
}

/** The number of the session, or null when it may be a stranger's by now: whoever is in that one began after the shim's end. */
export async function numberOf({ shim, heldAt }: ShimSession): Promise<number | null> {
  const leader = await readStat(shim.pid)
  if (leader !== null) return leader.startTime === shim.startTime ? shim.pid : null
  for (const pid of await allPids()) {
    const stat = await readStat(pid)
    if (stat?.session === shim.pid && Number(stat.startTime) <= heldAt) return shim.pid
  }
  return null
}

const allPids = async (): Promise<number[]> => (await readdir('/proc')).map(Number).filter(Number.isInteger)

export interface Wanted {
  readonly mark: string
  /** The session of its task, whose leader, the shim, is itself never counted; null when there is none. */
  readonly session: number | null
  /** Start time of its first process, in ticks since boot: nothing older belongs, so nothing older is read in full. */
  readonly since: number
}

async function belongs(pid: number, wanted: Wanted): Promise<boolean> {
  const stat = await readStat(pid)
  if (stat === null || isOver(stat) || pid === wanted.session || Number(stat.startTime) < wanted.since) return false
  if (stat.session === wanted.session) return true
  const environment = await readProc(`/proc/${pid}/environ`)
  return environment?.split('\0').includes(`${MARK_VARIABLE}=${wanted.mark}`) ?? false
}

/** Living processes of an attempt by session or by the mark in their environment; reads all of /proc. */
export async function scan(wanted: Wanted): Promise<number[]> {
  const found: number[] = []
  for (const pid of await allPids()) if (await belongs(pid, wanted)) found.push(pid)
  return found
}

/** Signals those that still belong when looked at again, one by one: a pid may have changed hands since the scan. */
export async function signalMembers(pids: readonly number[], wanted: Wanted, signal: NodeJS.Signals): Promise<void> {
  for (const pid of pids) if (await belongs(pid, wanted)) signalPid(pid, signal)
}

/** Children of a process with one thread, dead ones too; reads all of /proc on kernels that keep no list of them. */
async function pidsBelow(parent: number): Promise<number[]> {
  const listed = await readProc(`/proc/${parent}/task/${parent}/children`)
  return listed === null ? allPids() : listed.split(' ').filter(Boolean).map(Number)
}

/** Living children of a process with one thread, the oldest first. */
export async function childrenOf(parent: number): Promise<number[]> {
  const found: { pid: number; startTime: number }[] = []
  for (const pid of await pidsBelow(parent)) {
    const stat = await readStat(pid)
    if (stat !== null && stat.parent === parent && !isOver(stat)) found.push({ pid, startTime: Number(stat.startTime) })
  }
  return found.sort((a, b) => a.startTime - b.startTime).map(({ pid }) => pid)
}

/** Null when it is gone. */
export const groupOf = async (pid: number): Promise<number | null> => (await readStat(pid))?.group ?? null

/** Its pid as its own namespace counts; null when it is gone. */
export async function innermostPid(pid: number): Promise<number | null> {
  const [, pids] = /^NSpid:\s+(.+)$/m.exec((await readProc(`/proc/${pid}/status`)) ?? '') ?? []
  return pids === undefined ? null : Number(pids.split('\t').at(-1))
}

export interface ProcessUsage {
  readonly memoryBytes: number
  readonly peakMemoryBytes: number
  readonly cpuMicros: number
}

/** What one process uses; zeros when it is gone. */
export async function usageOf(pid: number): Promise<ProcessUsage> {
  const [stat, status] = await Promise.all([readStat(pid), readProc(`/proc/${pid}/status`)])
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status ?? '')?.[1] ?? 0)
  return { memoryBytes: kilobytes('VmRSS') * 1024, peakMemoryBytes: kilobytes('VmHWM') * 1024, cpuMicros: stat?.cpuMicros ?? 0 }
}
