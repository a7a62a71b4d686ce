import type { Disks } from '../../runtime/disks.ts'

/** Disks that nobody fills. */
export const ROOMY: Disks = { pressure: async () => [] }
