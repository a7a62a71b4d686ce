import { z } from 'zod'

/** Seconds. Less than 60 would replace tasks for one lost connection: a machine counts as unreachable after 40. */
const REPLACE_AFTER = { least: 60, most: 604_800 }
const REPLACE_AFTER_ERROR = `must be ${REPLACE_AFTER.least} to ${REPLACE_AFTER.most}, or Never`
/** Seconds. A change of the leader takes up to 12, and an agent may need as long again to find the new one. */
const STOP_LOCAL_AFTER = { least: 30, most: 604_800 }

/** Seconds that lie at least between a machine's giving a task up and its replacement: to end it, and for clocks that run apart. */
export const GIVE_UP_MARGIN = 10

export const Unreachable = z
  .strictObject({
    replaceAfterSeconds: z
      .union([z.int().min(REPLACE_AFTER.least, REPLACE_AFTER_ERROR).max(REPLACE_AFTER.most, REPLACE_AFTER_ERROR), z.literal('Never')], {
        error: REPLACE_AFTER_ERROR,
      })
      .optional()
      .meta({
        description: 'when it is replaced on another machine, or waited for without end; absent: 60 for a Deployment, Never for a Job',
      }),
    stopLocalAfterSeconds: z
      .int()
      .min(STOP_LOCAL_AFTER.least)
      .max(STOP_LOCAL_AFTER.most)
      .optional()
      .meta({ description: 'when a machine that hears of no control plane stops it by itself, until it hears again; absent: never' }),
  })
  .refine((spec) => spec.replaceAfterSeconds !== undefined || spec.stopLocalAfterSeconds !== undefined, {
    error: 'needs replaceAfterSeconds, stopLocalAfterSeconds or both',
  })
export type Unreachable = z.infer<typeof Unreachable>

/** Of a Deployment that says nothing. */
const SERVICES_AFTER = 60

/** After how many seconds of silence a task is replaced elsewhere; null: never. What runs to an end may have an effect that two of it would have twice. */
export function replaceAfter(unreachable: Unreachable | undefined, kind: 'Deployment' | 'Job' | 'CronJob'): number | null {
  const said = unreachable?.replaceAfterSeconds
  if (said === 'Never') return null
  return said ?? (kind === 'Deployment' ? SERVICES_AFTER : null)
}
