import type { ContainerInspectInfo } from 'dockerode'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { Containers } from './containers.ts'
import { isRunning } from './exit.ts'
import { NETWORK } from './network.ts'
import { isInContainer } from './residents.ts'

/** Where containers can be asked from this machine. */
export interface Addresses {
  /** Null for one that does not run, or has no address. */
  of(id: string, spec: Pick<TaskSpec, 'hostNetwork'>): Promise<string | null>
  forget(id: string): void
}

interface Known {
  readonly address: string
  readonly pid: number
}

/** Looked up once, and believed while the container's first process is seen to live: its address goes to another as it ends. */
export function createAddresses(containers: Pick<Containers, 'inspect'>): Addresses {
  const known = new Map<string, Known>()
  return {
    async of(id, spec) {
      const before = known.get(id)
      if (before !== undefined && (await isInContainer(before.pid, id))) return before.address
      const info = await containers.inspect(id)
      const address = info === null ? null : addressOf(info, spec)
      if (info === null || address === null) known.delete(id)
      else known.set(id, { address, pid: info.State.Pid })
      return address
    },
    forget: (id) => void known.delete(id),
  }
}

/** Null while it does not run. */
export function addressOf(info: ContainerInspectInfo, { hostNetwork }: Pick<TaskSpec, 'hostNetwork'>): string | null {
  if (!isRunning(info)) return null
  if (hostNetwork) return '127.0.0.1'
  const { IPAddress: v4, GlobalIPv6Address: v6 } = info.NetworkSettings.Networks[NETWORK] ?? {}
  return v4 || v6 || null
}
