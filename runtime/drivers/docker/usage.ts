import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Usage } from '../../driver.ts'
import type { Containers } from './containers.ts'

const ROOT = '/sys/fs/cgroup'
const NOTHING: Usage = { memoryBytes: 0, peakMemoryBytes: null, cpuMicros: 0 }

/** What containers use. */
export interface Usages {
  /** By container id. All zeros for one that does not run. */
  read(id: string): Promise<Usage>
  forget(id: string): void
}

/** A container's cgroup is looked up once, through its first process, and then read as files. */
export function createUsages(containers: Pick<Containers, 'inspect'>): Usages {
  const known = new Map<string, Cgroup>()
  return {
    async read(id) {
      const cgroup = known.get(id) ?? (await cgroupOf(id, (await containers.inspect(id))?.State.Pid ?? 0))
      if (cgroup === null) return NOTHING
      known.set(id, cgroup)
      return await cgroup.usage()
    },
    forget: (id) => void known.delete(id),
  }
}

/** The cgroup of one container, read as files: Docker's own `stats` takes a second each. All zeros, and null, once it is gone. */
export interface Cgroup {
  usage(): Promise<Usage>
  /** Bytes; the most that it used at once, or what it uses now on a kernel that keeps no such mark. */
  peakMemory(): Promise<number | null>
}

/** Null where it cannot be seen. A pid that another process has by now leads to a cgroup of another name. */
export async function cgroupOf(id: string, pid: number): Promise<Cgroup | null> {
  if (pid === 0) return null
  const lines = (await read(`/proc/${pid}/cgroup`)).split('\n').map((line) => line.split(':'))
  const pathOf = (controller: string): string | null => {
    const [, , ...path] = lines.find(([, controllers]) => controllers?.split(',').includes(controller)) ?? []
    const whole = path.join(':')
    return whole.includes(id) ? whole : null
  }
  const [memory, cpu, unified] = [pathOf('memory'), pathOf('cpuacct'), pathOf('')]
  if (memory !== null && cpu !== null) return cgroupV1(join(ROOT, 'memory', memory), join(ROOT, 'cpuacct', cpu))
  return unified === null ? null : cgroupV2(join(ROOT, unified))
}

/** Memory without the page cache that can be taken back at any time, as Kubernetes counts it. */
function cgroupV1(memory: string, cpu: string): Cgroup {
  const peakMemory = () => number(join(memory, 'memory.max_usage_in_bytes'))
  return {
    peakMemory,
    async usage() {
      const [used, peakMemoryBytes, stat, nanos] = await Promise.all([
        number(join(memory, 'memory.usage_in_bytes')),
        peakMemory(),
        read(join(memory, 'memory.stat')),
        number(join(cpu, 'cpuacct.usage')),
      ])
      const memoryBytes = Math.max(0, (used ?? 0) - field(stat, 'total_inactive_file'))
      return { memoryBytes, peakMemoryBytes, cpuMicros: Math.floor((nanos ?? 0) / 1000) }
    },
  }
}

function cgroupV2(folder: string): Cgroup {
  // `memory.peak` came with Linux 5.19.
  const peakMemory = async () => (await number(join(folder, 'memory.peak'))) ?? (await number(join(folder, 'memory.current')))
  return {
    peakMemory,
    async usage() {
      const [used, peakMemoryBytes, stat, cpu] = await Promise.all([
        number(join(folder, 'memory.current')),
        peakMemory(),
        read(join(folder, 'memory.stat')),
        read(join(folder, 'cpu.stat')),
      ])
      const memoryBytes = Math.max(0, (used ?? 0) - field(stat, 'inactive_file'))
      return { memoryBytes, peakMemoryBytes, cpuMicros: field(cpu, 'usage_usec') }
    },
  }
}

const field = (text: string, name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)

async function number(path: string): Promise<number | null> {
  const text = await read(path)
  return text === '' ? null : Number(text)
}

/** Empty when it is not there: the container has ended in between. */
const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
