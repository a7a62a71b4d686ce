import type { Millis } from '../model/ids.ts'

/** The first of some times at which to look again; null where none is known. */
export function earliest(...times: readonly (Millis | null)[]): Millis | null {
  return times.reduce<Millis | null>((first, time) => (time !== null && (first === null || time < first) ? time : first), null)
}
