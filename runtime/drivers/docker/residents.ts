import { readFile } from 'node:fs/promises'

/**
 * True when a process of this machine is in that container, told by its cgroup. False also where that cannot be seen from here,
 * as for an agent that is itself in a container: then nothing may be concluded from the number.
 */
export async function isInContainer(pid: number, containerId: string): Promise<boolean> {
  if (pid <= 1) return false
  const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  return cgroup.includes(containerId)
}
