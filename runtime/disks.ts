import type { StatsFs } from 'node:fs'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { DISK_PRESSURE, type Reason, reasonOf } from '../src/model/reason.ts'

/** Full from so much on, and until it is less than that: percent of what a user may fill, of bytes or of inodes. */
const FULL_FROM = 90
const FULL_UNTIL = 85

/** The file systems that tasks of this machine fill. */
export interface Disks {
  /** `DiskPressure` with what is full of the agent's own and of these; empty while there is room. Never rejects. */
  pressure(others: readonly string[]): Promise<readonly Reason[]>
}

export interface DisksOptions {
  readonly stateDir: string
  readonly statfs: (path: string) => Promise<StatsFs>
  readonly log: Logger
}

export function createDisks({ stateDir, statfs, log }: DisksOptions): Disks {
  const full = new Set<string>()

  /** A path that is not on this machine, as where a daemon of another has its data, is nobody's concern here. */
  async function usedOf(folder: string): Promise<number> {
    try {
      return percentUsed(await statfs(folder))
    } catch (error) {
      log.debug({ folder, error: messageOf(error) }, 'disk not known')
      return 0
    }
  }

  return {
    async pressure(others) {
      const used = await Promise.all([stateDir, ...others].map(async (folder) => ({ folder, percent: await usedOf(folder) })))
      for (const { folder, percent } of used) {
        if (percent >= FULL_FROM) full.add(folder)
        if (percent < FULL_UNTIL) full.delete(folder)
      }
      const said = used.filter(({ folder }) => full.has(folder)).map(({ folder, percent }) => `${folder} is ${percent} % full`)
      return said.length === 0 ? [] : [reasonOf(DISK_PRESSURE, said.join('; '))]
    },
  }
}

/** As `df` counts it: room that only root may use is nobody's. The fuller one of bytes and inodes; some file systems count no inodes. */
export function percentUsed({ blocks, bfree, bavail, files, ffree }: StatsFs): number {
  const used = blocks - bfree
  const bytes = used + bavail === 0 ? 0 : used / (used + bavail)
  const inodes = files === 0 ? 0 : (files - ffree) / files
  return Math.floor(100 * Math.max(bytes, inodes))
}
