import type { CronJobSpec } from '../../model/batch.ts'
import type { Millis } from '../../model/ids.ts'
import type { Run } from '../../model/records.ts'
import { earliest } from '../earliest.ts'
import type { WorkloadState } from '../workload.ts'
import type { CronContext } from './context.ts'
import { dueRuns } from './cron-due.ts'
import { ending, isPresent, stepInOrder, strays } from './cron-steps.ts'
import { expired, keptOfCron } from './history.ts'
import { leavingTasks, withLeaving } from './leave.ts'
import type { BatchPlan } from './plan.ts'
import { withChanged } from './plan-job.ts'
import { byNumber, newRun, nextNumber, TAKEN_BACK } from './run-record.ts'
import type { RunPlan } from './run-step.ts'

/** One look at a CronJob: which runs begin, how those go on that have begun, each as the revision said that it began with. */
export function planCronJob(given: WorkloadState, spec: CronJobSpec, cron: CronContext, now: Millis): BatchPlan {
  const leaving = leavingTasks(given.tasks, given.machines, { spec: spec.jobTemplate.spec, now })
  const state = { ...given, tasks: withLeaving(given.tasks, leaving) }
  const { steps, due } = stepsOf(state, spec, cron, now)
  const stepped = steps.map(({ run }) => run)
  const history = expired(withChanged(state.runs, stepped), {
    parents: cron.parents,
    ttl: spec.jobTemplate.spec.ttlSecondsAfterFinished,
    now,
  })
  return {
    runs: history.runs,
    drop: history.drop,
    schedule: due.state,
    create: steps.flatMap(({ run, create }) =>
      create.map((place) => ({ ...place, run: run.id, target: isPresent(run, state) ? state.record : run })),
    ),
    stop: [...strays(state), ...steps.flatMap(({ stop }) => stop)],
    leaving,
    keep: keptOfCron(history.runs, spec),
    forget: steps.flatMap(({ forget }) => forget),
    wakeAt: earliest(due.wakeAt, history.wakeAt, leaving.wakeAt, ...steps.map((one) => one.wakeAt)),
  }
}

interface Steps {
  readonly steps: readonly RunPlan[]
  readonly due: ReturnType<typeof dueRuns>
}

/** Those that go on come first, so that a run whose end is told now holds up no other, and is not taken for one that goes on. */
function stepsOf(state: WorkloadState, spec: CronJobSpec, cron: CronContext, now: Millis): Steps {
  const context = { state, going: cron.going, policy: spec.concurrencyPolicy, now }
  const unsettled = state.runs.filter((run) => isUnsettled(run, state)).sort(byNumber)
  const takenBack = unsettled.filter((run) => isTakenBack(run, state)).map((run) => ending(run, TAKEN_BACK, context))
  const rest = unsettled.filter((run) => !isTakenBack(run, state))
  const going = stepInOrder(rest, takenBack, context)
  const active = going.filter(({ run }) => run.finishedAt === null).length
  const due = dueRuns(state, spec, { occasions: cron, active, now })
  const number = nextNumber(state)
  const fresh = due.start.map((occasion, index) => newRun(state.record, occasion, { number: number + index, now }))
  return { steps: stepInOrder(fresh, going, context), due }
}

/** What was rolled back must not go on: its inputs may be quarantined. */
const isTakenBack = (run: Run, state: WorkloadState): boolean =>
  run.finishedAt === null && state.record.intent === 'Restore' && !isPresent(run, state)

/** It goes on, or its tasks may still tell how they ended. */
const isUnsettled = (run: Run, { tasks }: WorkloadState): boolean =>
  run.finishedAt === null || tasks.some(({ task }) => task.run === run.id)
