import { constants } from 'node:os'

const SIGNAL_BASE = 128

/** A shell, and Docker's init, report a death by signal n as 128 + n; null for a code that no signal has. */
export function signalOf(exitCode: number): string | null {
  const [name] = Object.entries(constants.signals).find(([, number]) => number === exitCode - SIGNAL_BASE) ?? []
  return name ?? null
}
