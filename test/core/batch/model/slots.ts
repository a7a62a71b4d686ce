/** Schedules whose slots anybody can count: every so many seconds, from a moment of the day on, in UTC. */
export const SCHEDULES = {
  '*/20 * * * * *': { period: 20_000, phase: 0 },
  '* * * * *': { period: 60_000, phase: 0 },
  '*/5 * * * *': { period: 300_000, phase: 0 },
  '7 * * * *': { period: 3_600_000, phase: 420_000 },
  '30 3 * * *': { period: 86_400_000, phase: 12_600_000 },
} as const
export type Schedule = keyof typeof SCHEDULES

/** How many slots lie after one instant, up to and with another. */
export function countSlots(schedule: Schedule, after: number, upTo: number): number {
  const { period, phase } = SCHEDULES[schedule]
  return Math.max(0, Math.floor((upTo - phase) / period) - Math.floor((after - phase) / period))
}

/** The first slot after an instant. */
export function slotAfter(schedule: Schedule, after: number): number {
  const { period, phase } = SCHEDULES[schedule]
  return (Math.floor((after - phase) / period) + 1) * period + phase
}

/** The last slot up to and with an instant. */
export function slotBefore(schedule: Schedule, upTo: number): number {
  const { period, phase } = SCHEDULES[schedule]
  return Math.floor((upTo - phase) / period) * period + phase
}
