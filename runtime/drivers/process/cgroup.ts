import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../src/lib/clock.ts'
import { hasCode, nullOn, RetryableError, StuckError } from '../../../src/lib/errors.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import type { Usage } from '../../driver.ts'
import type { Ability, CgroupTree, Hierarchy } from './cgroup-tree.ts'
import { readIfThere } from './files.ts'
import { signalPid } from './proc.ts'

/** The kernel's default scheduling period; microseconds. */
const CPU_PERIOD = 100_000
/** How often an emptying cgroup is looked at, and how long until what stays counts as stuck; milliseconds. */
const EMPTY_POLL_MS = 10
const STUCK_MS = 10_000

export interface Leaf {
  readonly dir: string
  readonly hierarchy: Hierarchy
}

export const leavesOf = (tree: CgroupTree, key: string): Leaf[] => tree.map((hierarchy) => ({ hierarchy, dir: join(hierarchy.base, key) }))

const find = (leaves: readonly Leaf[], ability: Ability): Leaf | undefined => leaves.find((leaf) => leaf.hierarchy.abilities.has(ability))

interface Limit {
  readonly v1: readonly (readonly [file: string, value: string])[]
  readonly v2: readonly (readonly [file: string, value: string])[]
}

const memoryLimit = (bytes: number): Limit => ({
  v1: [
    ['memory.limit_in_bytes', String(bytes)],
    ['memory.memsw.limit_in_bytes', String(bytes)],
  ],
  v2: [
    ['memory.max', String(bytes)],
    ['memory.swap.max', '0'],
    ['memory.oom.group', '1'],
  ],
})

function cpuLimit(millis: number): Limit {
  const quota = String(Math.max(1_000, Math.round((millis * CPU_PERIOD) / 1000)))
  return {
    v1: [
      ['cpu.cfs_period_us', String(CPU_PERIOD)],
      ['cpu.cfs_quota_us', quota],
    ],
    v2: [['cpu.max', `${quota} ${CPU_PERIOD}`]],
  }
}

const pidsLimit = (count: number): Limit => ({ v1: [['pids.max', String(count)]], v2: [['pids.max', String(count)]] })

/** Files of swap limits are absent on kernels without swap accounting. */
const OPTIONAL = new Set(['memory.memsw.limit_in_bytes', 'memory.swap.max', 'memory.oom.group'])

async function apply(leaf: Leaf | undefined, limit: Limit): Promise<void> {
  if (leaf === undefined) return
  for (const [file, value] of leaf.hierarchy.version === 2 ? limit.v2 : limit.v1) {
    const writing = writeFile(join(leaf.dir, file), value, { flag: 'r+' })
    await (OPTIONAL.has(file) ? writing.catch(nullOn('ENOENT', 'EACCES', 'EOPNOTSUPP')) : writing)
  }
}

/** Makes the leaves and sets the limits; gives the files a task writes itself into. */
export async function createLeaves(leaves: readonly Leaf[], limits: UnitSpec['limits'], maxPids: number): Promise<string[]> {
  for (const { dir } of leaves) await mkdir(dir, { recursive: true })
  if (limits.memoryBytes !== undefined) await apply(find(leaves, 'memory'), memoryLimit(limits.memoryBytes))
  if (limits.cpuMillis !== undefined) await apply(find(leaves, 'cpu'), cpuLimit(limits.cpuMillis))
  await apply(find(leaves, 'pids'), pidsLimit(maxPids))
  return leaves.map(({ dir }) => join(dir, 'cgroup.procs'))
}

async function membersOf({ dir }: Leaf): Promise<number[]> {
  const text = await readIfThere(join(dir, 'cgroup.procs')).catch(nullOn('ENODEV'))
  return (text ?? '').split('\n').filter(Boolean).map(Number)
}

/** The one leaf by which an attempt's processes are known: best one that can kill, else freeze, else any. */
const trackerOf = (leaves: readonly Leaf[]): Leaf | undefined => find(leaves, 'kill') ?? find(leaves, 'freeze') ?? leaves[0]

const freezerFile = ({ hierarchy }: Leaf): string => (hierarchy.version === 2 ? 'cgroup.freeze' : 'freezer.state')

/** KILL to each member while none of them can fork: they lie frozen, and die as they thaw. */
async function killFrozen(tracker: Leaf): Promise<void> {
  const freezes = tracker.hierarchy.abilities.has('freeze')
  const set = (v1: string, v2: string) => writeFile(join(tracker.dir, freezerFile(tracker)), tracker.hierarchy.version === 2 ? v2 : v1)
  if (freezes) await set('FROZEN', '1')
  for (const pid of await membersOf(tracker)) signalPid(pid, 'SIGKILL')
  if (freezes) await set('THAWED', '0')
}

const killOnce = (tracker: Leaf): Promise<void> =>
  tracker.hierarchy.abilities.has('kill') ? writeFile(join(tracker.dir, 'cgroup.kill'), '1') : killFrozen(tracker)

/**
 * Kills all that is in the leaves, wherever their sessions are, and returns when they are empty.
 * @throws StuckError when something will not die (state D).
 */
export async function killLeaves(leaves: readonly Leaf[], clock: Clock): Promise<void> {
  const tracker = trackerOf(leaves)
  if (tracker === undefined) return
  const deadline = clock.monotonic() + STUCK_MS
  while ((await membersOf(tracker)).length > 0) {
    await killOnce(tracker).catch(nullOn('ENOENT', 'ENODEV'))
    if ((await membersOf(tracker)).length === 0) return
    if (clock.monotonic() > deadline) throw new StuckError(`processes ${(await membersOf(tracker)).join(', ')} cannot be killed`)
    await clock.sleep(EMPTY_POLL_MS)
  }
}

/** False while the last process, gone from `cgroup.procs`, has not yet let go of it. */
async function removed(dir: string): Promise<boolean> {
  return rmdir(dir).then(
    () => true,
    (error: unknown) => {
      if (!hasCode(error, 'EBUSY', 'ENOENT')) throw error
      return hasCode(error, 'ENOENT')
    },
  )
}

/** @throws RetryableError when one is not empty. */
export async function removeLeaves(leaves: readonly Leaf[], clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + STUCK_MS
  for (const { dir } of leaves) {
    while (!(await removed(dir))) {
      if (clock.monotonic() > deadline) throw new RetryableError(`cgroup ${dir} cannot be removed`)
      await clock.sleep(EMPTY_POLL_MS)
    }
  }
}

const numberAfter = (text: string | null, name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text ?? '')?.[1] ?? 0)

/** True when the kernel killed something in it for lack of memory. */
export async function oomKilled(leaves: readonly Leaf[]): Promise<boolean> {
  const leaf = find(leaves, 'memory')
  if (leaf === undefined) return false
  const file = leaf.hierarchy.version === 2 ? 'memory.events' : 'memory.oom_control'
  return numberAfter(await readIfThere(join(leaf.dir, file)), 'oom_kill') > 0
}

/** What the whole tree uses; null where no memory cgroup accounts for it. */
export async function leafUsage(leaves: readonly Leaf[]): Promise<Usage | null> {
  const memory = find(leaves, 'memory')
  if (memory === undefined) return null
  const read = async (v1: string, v2: string): Promise<number | null> => {
    const text = await readIfThere(join(memory.dir, memory.hierarchy.version === 2 ? v2 : v1))
    return text === null ? null : Number(text)
  }
  const [memoryBytes, peakMemoryBytes] = await Promise.all([
    read('memory.usage_in_bytes', 'memory.current'),
    // `memory.peak` came with Linux 5.19.
    read('memory.max_usage_in_bytes', 'memory.peak'),
  ])
  return { memoryBytes: memoryBytes ?? 0, peakMemoryBytes, cpuMicros: await leafCpu(leaves) }
}

async function leafCpu(leaves: readonly Leaf[]): Promise<number> {
  const unified = leaves.find((leaf) => leaf.hierarchy.version === 2)
  if (unified === undefined) return 0
  return numberAfter(await readIfThere(join(unified.dir, 'cpu.stat')), 'usage_usec')
}
