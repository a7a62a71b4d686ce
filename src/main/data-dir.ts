import { mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { nullOn } from '../lib/errors.ts'

/** One process at a time uses a data directory; the file names it, the kernel's word decides whether it lives. */
export interface DataDirLock {
  release(): Promise<void>
}

/** @throws Error naming the process that holds it, or for a directory that everybody may write to. */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await assertPrivate(dataDir)
  const path = join(dataDir, 'pid')
  const holder = await holderOf(dataDir)
  if (holder !== null) throw new Error(`another drover (pid ${holder}) uses ${dataDir}`)
  await rm(path, { force: true })
  const file = await open(path, 'wx', 0o600)
  await file.write(`${process.pid} ${await startTimeOf(process.pid)}\n`)
  await file.close()
  return { release: () => rm(path, { force: true }) }
}

/** Keys and tokens are in it: whoever may write there could put his own in their place. */
async function assertPrivate(dataDir: string): Promise<void> {
  const { mode } = await stat(dataDir)
  if ((mode & 0o002) === 0) return
  throw new Error(`everybody may write to ${dataDir}, and keys are kept there: chmod 700 ${dataDir}`)
}

/** The process that uses the directory now; null when none does. A reused pid is told apart by its start time. */
export async function holderOf(dataDir: string): Promise<number | null> {
  const text = await readOrNull(join(dataDir, 'pid'))
  const [pid, startedAt] = text?.trim().split(' ') ?? []
  if (pid === undefined || startedAt === undefined) return null
  return (await startTimeOf(Number(pid))) === startedAt ? Number(pid) : null
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; null when there is no such process, or only its remains. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readOrNull(`/proc/${pid}/stat`)
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return state === 'Z' ? null : (rest[18] ?? null)
}

/** A process that ends while its entry is read shows as ESRCH. */
const readOrNull = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(nullOn('ENOENT', 'ESRCH'))
