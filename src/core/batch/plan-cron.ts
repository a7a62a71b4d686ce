import type { CronJobSpec, RunSpec } from '../../model/batch.ts'
import { bodyOf } from '../../model/body.ts'
import type { Calendar } from '../../model/calendar.ts'
import type { Digest, Millis, RunId } from '../../model/ids.ts'
import type { CronState, Run } from '../../model/records.ts'
import type { WorkloadVersion } from '../../model/version.ts'
import { earliest } from '../earliest.ts'
import type { WorkloadState } from '../workload.ts'
import { dueGraphs, nodeRunId } from './cron-graph.ts'
import { dueSlots } from './cron-slots.ts'
import { expired, keptOfCron } from './history.ts'
import { leavingTasks, withLost } from './leave.ts'
import type { BatchPlan } from './plan.ts'
import { tasksOf, withChanged } from './plan-job.ts'
import { byNumber, giveUp, newRun, nextNumber, runBase, TAKEN_BACK } from './run-record.ts'
import { type RunPlan, slotsInUse, stepRun } from './run-step.ts'
import { stampOf } from './stamp.ts'

/** What a CronJob is decided by beside its record. */
export interface CronContext {
  /** Null before its first look. */
  readonly state: CronState | null
  /** Null when it starts after others, or when nobody here knows its time zone. */
  readonly calendar: Calendar | null
  /** Runs of each CronJob that it starts after. */
  readonly parents: readonly (readonly Run[])[]
  /** What runs that go on were started with. */
  readonly versions: ReadonlyMap<Digest, WorkloadVersion>
}

type Occasion = Pick<Run, 'id' | 'trigger' | 'slot' | 'graph' | 'parents'>

interface Due {
  readonly start: readonly Occasion[]
  readonly state: CronState
  readonly wakeAt: Millis | null
}

/** One look at a CronJob: which runs begin, how those go on that have begun, each as the revision said that it began with. */
export function planCronJob(given: WorkloadState, spec: CronJobSpec, cron: CronContext, now: Millis): BatchPlan {
  const leaving = leavingTasks(given.tasks, given.machines, { spec: spec.jobTemplate.spec, now })
  const state = { ...given, tasks: withLost(given.tasks, leaving) }
  const open = state.runs.filter(({ finishedAt }) => finishedAt === null)
  const due = dueRuns(state, spec, { cron, open, now })
  const begun = due.start.map((occasion, index) => newRun(state.record, occasion, { number: nextNumber(state) + index, now }))
  const ended = givenUp(state, spec, { open: [...open, ...begun], now })
  const isEnded = new Set(ended.map(({ id }) => id))
  const going = state.runs.filter((run) => !isEnded.has(run.id) && isUnsettled(run, state)).sort(byNumber)
  const steps = stepInOrder([...going, ...begun], state, { cron, now })
  const runs = withChanged(state.runs, [...ended, ...steps.map(({ run }) => run)])
  const { old, wakeAt } = expired(runs, spec, now)
  const left = runs.filter((run) => !old.includes(run))
  return {
    runs: left,
    drop: old.map(({ id }) => id),
    schedule: passed(due.state, old),
    create: steps.flatMap(({ run, create }) =>
      create.map((place) => ({ ...place, run: run.id, target: isPresent(run, state) ? state.record : run })),
    ),
    stop: [...ended.flatMap((run) => tasksOf(state, run).map(({ task }) => task.id)), ...steps.flatMap(({ stop }) => stop)],
    leaving,
    keep: keptOfCron(left, spec),
    wakeAt: earliest(due.wakeAt, wakeAt, leaving.wakeAt, ...steps.map((one) => one.wakeAt)),
  }
}

/** Runs that must not go on: others take their place, or they were rolled back, and their inputs may be quarantined. */
function givenUp(state: WorkloadState, spec: CronJobSpec, { open, now }: { open: readonly Run[]; now: Millis }): Run[] {
  const replaced = spec.concurrencyPolicy === 'Replace' && wishOf(state) === 'Go' ? overtaken(open) : []
  const takenBack = open.filter((run) => isTakenBack(run, state) && !replaced.includes(run))
  return [
    ...replaced.map((run) => giveUp(run, 'Replaced', { tasks: tasksOf(state, run), now })),
    ...takenBack.map((run) => giveUp(run, TAKEN_BACK, { tasks: tasksOf(state, run), now })),
  ]
}

/** The newest of those that begin now ends all before it, whatever makes it begin: a slot, its parents or a person. */
function overtaken(open: readonly Run[]): Run[] {
  const newest = open
    .filter(({ startedAt }) => startedAt === null)
    .sort(byNumber)
    .at(-1)
  return newest === undefined ? [] : open.filter((run) => byNumber(run, newest) < 0)
}

const isTakenBack = (run: Run, state: WorkloadState): boolean => state.record.intent === 'Restore' && !isPresent(run, state)

/** `Wait`: what it depends on is not there. */
const wishOf = ({ unmet }: WorkloadState): 'Go' | 'Wait' => (unmet.length > 0 ? 'Wait' : 'Go')

/** It goes on, or its tasks may still tell how they ended. */
const isUnsettled = (run: Run, { tasks }: WorkloadState): boolean =>
  run.finishedAt === null || tasks.some(({ task }) => task.run === run.id)

/** It runs what git says now, so that its limits are those of now too, and none that was rolled back. */
const isPresent = ({ templateDigest }: Run, { record }: WorkloadState): boolean => templateDigest === record.templateDigest

/** The oldest first: what one of them takes in this very look, a later one that is exclusive must not. */
function stepInOrder(runs: readonly Run[], state: WorkloadState, { cron, now }: { cron: CronContext; now: Millis }): RunPlan[] {
  const taken = new Set<string>()
  return runs.map((run) => {
    const spec = bodyOf(isPresent(run, state) ? state.version : (cron.versions.get(run.inputsDigest) ?? state.version)) as RunSpec
    const busy = new Set([...taken, ...slotsInUse(state.tasks.filter(({ task }) => task.run !== run.id))])
    const plan = stepRun(run, { spec, tasks: tasksOf(state, run), busy, machines: state.slots, wish: wishOf(state), now })
    for (const { slot } of plan.create) taken.add(slot)
    return plan
  })
}

interface Look {
  readonly cron: CronContext
  readonly open: readonly Run[]
  readonly now: Millis
}

function dueRuns(state: WorkloadState, spec: CronJobSpec, look: Look): Due {
  if (spec.after !== undefined) return afterParents(state, spec, look)
  const { calendar } = look.cron
  return calendar === null
    ? { start: [], state: scheduleNow(state, spec, look.cron), wakeAt: null }
    : onSchedule(state, spec, calendar, look)
}

function onSchedule(state: WorkloadState, spec: CronJobSpec, calendar: Calendar, { cron, open, now }: Look): Due {
  const before = scheduleNow(state, spec, cron)
  const due = dueSlots({ spec, calendar, state: before, active: open.length, wish: wishOf(state), now })
  const known = new Set<string>(state.runs.map(({ id }) => id))
  const start = due.start
    .map((slot): Occasion => {
      const id = runBase(state.record, stampOf(slot)) as RunId
      return { id, trigger: 'Schedule', slot, graph: id, parents: [] }
    })
    .filter(({ id }) => !known.has(id))
  return { ...due, start }
}

/** A new schedule says nothing about the time before it was there. */
function scheduleNow({ record }: WorkloadState, spec: CronJobSpec, { state: before }: CronContext): CronState {
  const schedule = spec.schedule === undefined ? null : `${spec.schedule} ${spec.timeZone}`
  if (before === null) return { workload: record.key, through: record.createdAt, schedule, missed: 0, lastMissed: null, lastNumber: 0 }
  return before.schedule === schedule ? before : { ...before, schedule, through: Math.max(before.through, record.updatedAt) }
}

function afterParents(state: WorkloadState, spec: CronJobSpec, { cron, open }: Look): Due {
  const before = scheduleNow(state, spec, cron)
  const due = dueGraphs({ parents: cron.parents, own: state.runs, through: before.through })
  const last = due.at(-1)
  if (spec.suspend) return { start: [], state: last === undefined ? before : { ...before, through: last.readyAt }, wakeAt: null }
  const mayStart = wishOf(state) === 'Go' && (spec.concurrencyPolicy !== 'Forbid' || open.length === 0)
  const now = mayStart ? due.slice(0, spec.concurrencyPolicy === 'Allow' ? due.length : 1) : []
  const start = now.map(
    (due): Occasion => ({ id: nodeRunId(state, due), trigger: 'After', slot: due.slot, graph: due.graph, parents: [...due.parents] }),
  )
  return { start, state: before, wakeAt: null }
}

/** What is dropped must not become due again, nor its number be given again. */
function passed(state: CronState, dropped: readonly Run[]): CronState {
  if (dropped.length === 0) return state
  const lastNumber = Math.max(state.lastNumber, ...dropped.map(({ number }) => number))
  const through = state.schedule === null ? Math.max(state.through, ...dropped.map(({ createdAt }) => createdAt)) : state.through
  return { ...state, through, lastNumber }
}
