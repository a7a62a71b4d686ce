import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Usage } from '../../driver.ts'
import type { Containers } from './containers.ts'

const ROOT = '/sys/fs/cgroup'
const NOTHING: Usage = { memoryBytes: 0, peakMemoryBytes: 0, cpuMicros: 0 }

/** What containers use. */
export interface Usages {
  /** By container id. All zeros for one that does not run. */
  read(id: string): Promise<Usage>
  forget(id: string): void
}

type UsageReader = () => Promise<Usage>

/** A container's cgroup is looked up once, through its first process, and then read as files. */
export function createUsages(containers: Pick<Containers, 'inspect'>): Usages {
  const readers = new Map<string, UsageReader>()
  return {
    async read(id) {
      const known = readers.get(id)
      if (known !== undefined) return await known()
      const info = await containers.inspect(id)
      if (info === null || info.State.Pid === 0) return NOTHING
      const reader = await usageReader(info.State.Pid)
      readers.set(id, reader)
      return await reader()
    },
    forget: (id) => void readers.delete(id),
  }
}

/**
 * Finds the cgroup of a process and reads it from then on: Docker's own `stats` takes a second each.
 * All zeros once it has ended, or where its cgroup cannot be seen.
 */
async function usageReader(pid: number): Promise<UsageReader> {
  const lines = (await read(`/proc/${pid}/cgroup`)).split('\n').map((line) => line.split(':'))
  const pathOf = (controller: string): string | null =>
    lines
      .find(([, controllers]) => controllers?.split(',').includes(controller))
      ?.slice(2)
      .join(':') ?? null
  const [memory, cpu, unified] = [pathOf('memory'), pathOf('cpuacct'), pathOf('')]
  if (memory !== null && cpu !== null) return () => readV1(join(ROOT, 'memory', memory), join(ROOT, 'cpuacct', cpu))
  return unified === null ? async () => NOTHING : () => readV2(join(ROOT, unified))
}

/** Memory without the page cache that can be taken back at any time, as Kubernetes counts it. */
async function readV1(memory: string, cpu: string): Promise<Usage> {
  const [used, peak, stat, nanos] = await Promise.all([
    number(join(memory, 'memory.usage_in_bytes')),
    number(join(memory, 'memory.max_usage_in_bytes')),
    read(join(memory, 'memory.stat')),
    number(join(cpu, 'cpuacct.usage')),
  ])
  return { memoryBytes: Math.max(0, used - field(stat, 'total_inactive_file')), peakMemoryBytes: peak, cpuMicros: Math.floor(nanos / 1000) }
}

/** `memory.peak` came with Linux 5.19. */
async function readV2(folder: string): Promise<Usage> {
  const [used, peak, stat, cpu] = await Promise.all([
    number(join(folder, 'memory.current')),
    number(join(folder, 'memory.peak')),
    read(join(folder, 'memory.stat')),
    read(join(folder, 'cpu.stat')),
  ])
  const memoryBytes = Math.max(0, used - field(stat, 'inactive_file'))
  return { memoryBytes, peakMemoryBytes: Math.max(peak, memoryBytes), cpuMicros: field(cpu, 'usage_usec') }
}

const field = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)

const number = async (path: string): Promise<number> => Number(await read(path)) || 0

/** Empty when it is not there: the container has ended in between. */
const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
