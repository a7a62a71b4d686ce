import { gaveWay } from '../../core/batch/run-record.ts'
import type { RunId, WorkloadKey } from '../../model/ids.ts'
import type { CronState, EventRecord, Run, Write } from '../../model/records.ts'
import { iso } from '../requests/times.ts'
import type { Cluster } from './cluster.ts'
import type { EventInput } from './draft.ts'
import { objectOf } from './object-name.ts'

/** What people are told of a write about runs or slots that is not applied yet: begun, ended, missed. Null: nothing. */
export function batchEvent({ table, id, value }: Write, cluster: Cluster): EventInput | null {
  if (value === null) return null
  if (table === 'runs') return runEvent(cluster.runs.get(id as RunId), value)
  return table === 'schedules' ? slotEvent(cluster.schedules.get(id as WorkloadKey), value, cluster) : null
}

type Told = Pick<EventRecord, 'reason' | 'message' | 'level' | 'actor'>

function runEvent(before: Run | undefined, run: Run): EventInput | null {
  const told = before?.finishedAt == null && run.finishedAt !== null ? ended(run) : begun(before, run)
  return told === null ? null : { object: objectOf(run.workload), app: run.app, ...told, message: `run/${run.id}: ${told.message}` }
}

function begun(before: Run | undefined, { startedAt, trigger, slot, actor }: Run): Told | null {
  if (startedAt === null || before?.startedAt != null) return null
  const message = `${trigger}${slot === null ? '' : `, slot ${iso(slot)}`}`
  return { reason: 'RunStarted', message, level: 'Normal', actor: actor ?? 'drover' }
}

/** One that ended for another's sake is no alarm. */
function ended(run: Run): Told {
  const { phase, reason, message, exitCode } = run
  const code = exitCode === null || phase === 'Succeeded' ? '' : `, exit code ${exitCode}`
  const why = `${reason ?? phase}${code}${message === null ? '' : `: ${message}`}`
  const quiet = reason === 'Replaced' || gaveWay(run)
  return {
    reason: quiet ? `Run${reason}` : `Run${phase}`,
    message: why,
    level: phase === 'Failed' && !quiet ? 'Warning' : 'Normal',
    actor: 'drover',
  }
}

function slotEvent(before: CronState | undefined, { workload, missed, lastMissed }: CronState, cluster: Cluster): EventInput | null {
  const more = missed - (before?.missed ?? 0)
  if (more <= 0 || lastMissed === null) return null
  const message = `${more === 1 ? 'a slot' : `${more} slots`} passed without a run, the latest ${iso(lastMissed)}`
  const app = cluster.workloads.get(workload)?.app ?? null
  return { object: objectOf(workload), app, reason: 'MissedSlots', message, level: 'Warning', actor: 'drover' }
}
