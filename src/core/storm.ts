import type { AgentId, Millis } from '../model/ids.ts'
import type { AgentRecord } from '../model/records.ts'

/** Kubernetes' numbers: a zone of which so much, and more than two machines, is not ready is left alone (`unhealthy-zone-threshold`). */
const STORM_SHARE = 0.55
const STORM_LEAST = 3
/** Machines that fall silent within so long do so together; what is silent for longer is broken by itself, and says nothing of a storm. */
const STORM_WINDOW: Millis = 300_000

type Machine = Pick<AgentRecord, 'id' | 'maintenance' | 'silence'>

/**
 * Machines that fell silent together, and are most of those that work: then it is the network, the power or this control
 * plane that failed, and replacing all of them would do the most harm. Empty: there is no such storm. Machines that an
 * operator took out of service do not count.
 */
export function stormOf(machines: Iterable<Machine>, now: Millis): AgentId[] {
  const counted = [...machines].filter(({ maintenance, silence }) => maintenance === null && (silence === null || isRecent(silence, now)))
  const silent = counted.filter(({ silence }) => silence !== null)
  return silent.length >= STORM_LEAST && silent.length >= STORM_SHARE * counted.length ? silent.map(({ id }) => id) : []
}

/** One that a storm spares stays in it, however long that lasts, and whoever leads by then. */
const isRecent = ({ since, spared }: NonNullable<Machine['silence']>, now: Millis): boolean => spared || since > now - STORM_WINDOW
