import type { RunView } from '../model/views.ts'
import { workloadName } from './read.ts'

/** What runs are called, and which are of what. */

export const runName = ({ id }: Pick<RunView, 'id'>): string => `run/${id}`

/** `job/migrate` or `cronjob/export`. */
export const runWorkload = ({ job, cronJob }: RunView): string => workloadName({ kind: cronJob === null ? 'Job' : 'CronJob', name: job })

/** Of a Job or a CronJob, newest first. */
export function runsOf(view: { namespace: string; kind: string; name: string }, runs: readonly RunView[]): RunView[] {
  const own = ({ namespace, job, cronJob }: RunView) =>
    namespace === view.namespace && job === view.name && (cronJob === null) === (view.kind === 'Job')
  return runs.filter(own).sort(newestFirst)
}

export const newestFirst = (a: RunView, b: RunView): number => b.number - a.number || b.createdAt.localeCompare(a.createdAt)

/** In UTC, as runs are named: `2026-11-21 01:30Z`, with seconds where there are any. */
export function slotText(slot: string): string {
  const [date = '', time = ''] = slot.split('T')
  const clock = time.slice(0, 8)
  return `${date} ${clock.endsWith(':00') ? clock.slice(0, 5) : clock}Z`
}

/** Completions reached, of those wanted where that is known. */
export const doneOf = ({ succeeded, completions }: RunView): string =>
  completions === null ? String(succeeded) : `${succeeded}/${completions}`

/** `BackoffLimitExceeded, exit code 3`; empty where it succeeded or goes on. */
export function troubleOf({ phase, reason, exitCode }: RunView): string {
  if (phase !== 'Failed') return ''
  return [reason ?? 'no reason is known', ...(exitCode === null ? [] : [`exit code ${exitCode}`])].join(', ')
}
