import { readFile } from 'node:fs/promises'
import { nullOn } from '../../../src/lib/errors.ts'

/**
 * True when a process of this machine is in that container, told by its cgroup. False also where that cannot be seen from here,
 * as for an agent that is itself in a container: then nothing may be concluded from the number.
 */
export async function isInContainer(pid: number, containerId: string): Promise<boolean> {
  if (pid <= 1) return false
  const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  return cgroup.includes(containerId)
}

/** KILL for a process that is in that container; false when it is not, or this agent may not. Already gone counts as not there. */
export async function killInContainer(pid: number, containerId: string): Promise<boolean> {
  if (!(await isInContainer(pid, containerId))) return false
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch (error) {
    nullOn('ESRCH', 'EPERM')(error)
    return false
  }
}
