import type { LeaderPointer } from '../../src/control/requests/leader-pointer.ts'

/** A process that leads. */
export const LEADS: LeaderPointer = { leads: () => true, url: async () => null }

/** A process that stands by, with what its store says of the leader. */
export const standsBy = (leader: string | null): LeaderPointer => ({ leads: () => false, url: async () => leader })
