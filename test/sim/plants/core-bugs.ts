import { isAvailable, isLive } from '../../../src/core/task-state.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import type { AgentId, RunId, WorkloadKey } from '../../../src/model/ids.ts'
import type { InvariantName } from '../invariants.ts'
import type { Mode } from '../scenario.ts'
import { register } from './plant.ts'

/** Modules of the product that a mistake can be put into, and what is replaced there. */
interface Planted {
  'core/rollout/rolling': Pick<typeof import('../../../src/core/rollout/rolling.ts'), 'planRolling'>
  'core/rollout/follow': Pick<typeof import('../../../src/core/rollout/follow.ts'), 'overtaken'>
  'core/rollout/event': Pick<typeof import('../../../src/core/rollout/event.ts'), 'nextEvent' | 'rolloutWakeAt'>
  'core/rollout/keep': Pick<typeof import('../../../src/core/rollout/keep.ts'), 'planKeep'>
  'core/returns': Pick<typeof import('../../../src/core/returns.ts'), 'planReturns'>
  'core/sync': Pick<typeof import('../../../src/core/sync.ts'), 'planSync'>
  'core/batch/plan-job': Pick<typeof import('../../../src/core/batch/plan-job.ts'), 'planJob'>
  'core/batch/run-step': Pick<typeof import('../../../src/core/batch/run-step.ts'), 'slotsInUse'>
  'core/batch/cron-due': Pick<typeof import('../../../src/core/batch/cron-due.ts'), 'dueRuns'>
  'core/batch/cron-slots': Pick<typeof import('../../../src/core/batch/cron-slots.ts'), 'dueSlots'>
  'core/batch/leave': Pick<typeof import('../../../src/core/batch/leave.ts'), 'leavingTasks'>
  'control/agents/hub': Pick<typeof import('../../../src/control/agents/hub.ts'), 'Hub'>
  'control/leader/moves': Pick<typeof import('../../../src/control/leader/moves.ts'), 'writeQuarantine'>
  'lib/backoff': Pick<typeof import('../../../src/lib/backoff.ts'), 'fullJitter'>
  'model/task': Pick<typeof import('../../../src/model/task.ts'), 'mayFollow'>
  'store/leadership': Pick<typeof import('../../../src/store/leadership.ts'), 'lead'>
}

/** A mistake in the decisions themselves. */
export interface CoreBug {
  readonly name: string
  /** What must catch it: one of these. */
  readonly caughtBy: readonly InvariantName[]
  readonly mode: Mode
  readonly module: keyof Planted
}

export const CORE_BUGS: CoreBug[] = []

interface Said {
  readonly caughtBy: readonly InvariantName[]
  readonly mode?: Mode
}

function plant<M extends keyof Planted>(name: string, module: M, said: Said, make: (real: Planted[M]) => Partial<Planted[M]>): void {
  register({ name, module, make })
  CORE_BUGS.push({ name, module, mode: 'safety', ...said })
}

/** Everything old at once, whatever still serves. */
plant('impatient-rollout', 'core/rollout/rolling', { caughtBy: ['AvailabilityKept'] }, ({ planRolling }) => ({
  planRolling: (input) => {
    const plan = planRolling(input)
    const old = input.tasks.filter((state) => isLive(state) && state.task.templateDigest !== input.templateDigest)
    return { ...plan, stop: [...new Set([...plan.stop, ...old.map(({ task }) => task.id)])] }
  },
}))

/** What is right is stopped as well, as long as enough others serve. */
plant('restless-rollout', 'core/rollout/rolling', { caughtBy: ['StopHasCause'] }, ({ planRolling }) => ({
  planRolling: (input) => {
    const plan = planRolling(input)
    const right = input.tasks.find((state) => isAvailable(state, 0, input.now) && state.task.templateDigest === input.templateDigest)
    return right === undefined || input.limits.maxUnavailable === 0 || plan.stop.length > 0 ? plan : { ...plan, stop: [right.task.id] }
  },
}))

plant('surge-exceeded', 'core/rollout/rolling', { caughtBy: ['NeverAboveSurge'] }, ({ planRolling }) => ({
  planRolling: (input) => planRolling({ ...input, limits: { ...input.limits, maxSurge: input.limits.maxSurge + 3 } }),
}))

/** What succeeded is no longer seen before the run as a whole has ended. */
plant('completion-forgotten', 'core/batch/plan-job', { caughtBy: ['CompletedOnce'] }, ({ planJob }) => ({
  planJob: (state, spec, now) =>
    planJob({ ...state, tasks: state.tasks.filter(({ observed }) => observed?.phase !== 'Succeeded') }, spec, now),
}))

plant('run-repeated', 'core/batch/plan-job', { caughtBy: ['OncePerSpec', 'RunEndsOnce', 'NothingBreaks'] }, ({ planJob }) => ({
  planJob: (state, spec, now) => planJob(state.run?.finishedAt == null ? state : { ...state, run: null, tasks: [] }, spec, now),
}))

plant('exclusive-overlaps', 'core/batch/run-step', { caughtBy: ['ExclusiveIsAlone'] }, () => ({ slotsInUse: () => new Map() }))

/** A slot is known by the run that began for it, and that run is named by who began it. */
plant('slot-doubled', 'core/batch/cron-due', { caughtBy: ['SlotOnce'] }, ({ dueRuns }) => ({
  dueRuns: (state, spec, look) => {
    const due = dueRuns(state, spec, look)
    const last = state.runs.filter(({ trigger }) => trigger === 'Schedule').at(-1)
    if (last?.finishedAt == null || last.slot === null || last.id.endsWith('-again') || spec.suspend) return due
    const id = `${last.id}-again` as RunId
    return state.runs.some((run) => run.id === id)
      ? due
      : { ...due, start: [...due.start, { id, trigger: 'Schedule', slot: last.slot, graph: id, parents: [] }] }
  },
}))

/** What is decided is forgotten when the clock goes back behind it. */
plant('slots-follow-the-clock', 'core/batch/cron-slots', { caughtBy: ['RunEndsOnce', 'SlotOnce'] }, ({ dueSlots }) => ({
  dueSlots: (input) => dueSlots({ ...input, begun: [], state: { ...input.state, through: Math.min(input.state.through, input.now) } }),
}))

/** As soon as nothing is known of a machine, whatever the workload says. */
plant('replaced-too-soon', 'core/batch/leave', { caughtBy: ['LostIsSilent'] }, ({ leavingTasks }) => ({
  leavingTasks: (tasks, machines, { spec, now }) => {
    const { unreachable } = spec.template.spec
    const hasty = {
      ...spec.template.spec,
      ...(unreachable === undefined ? {} : { unreachable: { ...unreachable, replaceAfterSeconds: 0 } }),
    }
    return leavingTasks(tasks, machines, { spec: { ...spec, template: { ...spec.template, spec: hasty } }, now })
  },
}))

/** A leader that was elected before counts the time between its terms as silence. */
plant('timers-survive-demotion', 'control/agents/hub', { caughtBy: ['LostIsSilent'] }, ({ Hub }) => {
  const left = new WeakMap<Clock, Map<AgentId, number>>()
  class StaleHub extends Hub {
    readonly #clock: Clock
    readonly #here = new Set<AgentId>()
    constructor(...given: ConstructorParameters<typeof Hub>) {
      super(...given)
      this.#clock = given[0]
    }
    override admit(...given: Parameters<InstanceType<typeof Hub>['admit']>): void {
      this.#here.add(given[0])
      super.admit(...given)
    }
    override silentFor(agent: AgentId): number {
      const since = this.#here.has(agent) ? undefined : left.get(this.#clock)?.get(agent)
      return Math.max(super.silentFor(agent), since === undefined ? 0 : this.#clock.monotonic() - since)
    }
    override closeAll(reason: string): void {
      left.set(this.#clock, new Map([...this.#here].map((agent) => [agent, this.#clock.monotonic() - 60_000])))
      super.closeAll(reason)
    }
  }
  return { Hub: StaleHub }
})

plant('empty-prunes', 'core/sync', { caughtBy: ['RemovalIsMeant'] }, ({ planSync }) => ({
  planSync: (input) => planSync({ ...input, allowDelete: 'Any', problems: 0 }),
}))

/** What to remove is found by what the commit before had, not by what Drover owns. */
plant('pruned-against-last-commit', 'core/sync', { caughtBy: ['OwnedIsInventory', 'ComesToRest'] }, ({ planSync }) => {
  const before = { keys: new Set<WorkloadKey>() }
  return {
    planSync: (input) => {
      const wanted = new Set([...input.wanted.map(({ key }) => key), ...input.broken])
      const owned = input.owned.filter(({ key }) => before.keys.has(key) || wanted.has(key))
      before.keys = wanted
      return planSync({ ...input, owned })
    },
  }
})

plant('stale-status-taken', 'model/task', { caughtBy: ['NothingBreaks', 'TerminalIsFinal', 'AttemptsGrow', 'PhaseNeverFalls'] }, () => ({
  mayFollow: () => true,
}))

plant('overtaken-goes-on', 'core/rollout/follow', { caughtBy: ['NewestRolloutWins'] }, () => ({ overtaken: () => [] }))

plant('deadline-ignored', 'core/rollout/event', { caughtBy: ['ComesToRest'] }, ({ nextEvent, rolloutWakeAt }) => ({
  nextEvent: (rollout, facts, now) => nextEvent(rollout, { ...facts, ledSince: now }, now),
  rolloutWakeAt: (rollout, facts) => (rollout.state.phase === 'Rolling' ? null : rolloutWakeAt(rollout, facts)),
}))

plant('canary-takes-over', 'core/rollout/keep', { caughtBy: ['CanaryBeside', 'AvailabilityKept'] }, ({ planKeep }) => ({
  planKeep: (input) => {
    const plan = planKeep(input)
    const old = input.tasks.find(
      (state) => isAvailable(state, 0, input.now) && state.task.templateDigest === input.fallback?.templateDigest,
    )
    return input.canaries === 'AsTheyAre' || old === undefined ? plan : { ...plan, stop: [...plan.stop, old.task.id] }
  },
}))

plant('atomic-by-halves', 'core/returns', { caughtBy: ['AtomicTogether'] }, ({ planReturns }) => ({
  planReturns: (input) => planReturns(input).slice(-1),
}))

plant('failure-not-quarantined', 'control/leader/moves', { caughtBy: ['NoFlapping', 'TemplateIsStable'] }, ({ writeQuarantine }) => ({
  writeQuarantine: (...given) => {
    if (given[1].revisionId === null) writeQuarantine(...given)
  },
}))

/** A lease is trusted by the wall clock. */
plant('wall-clock-lease', 'store/leadership', { caughtBy: ['OneLeader'] }, ({ lead }) => ({
  lead: (terms) => {
    const { clock } = terms
    const behind = clock.now() - clock.monotonic()
    return lead({ ...terms, clock: { ...clock, monotonic: () => clock.now() - behind } })
  },
}))

/** An agent that was refused often waits for hours. */
plant('back-off-without-end', 'lib/backoff', { caughtBy: ['CoreGetsOn'], mode: 'liveness' }, ({ fullJitter }) => ({
  fullJitter: (failures, base, _cap, random) => fullJitter(failures, base, Number.MAX_SAFE_INTEGER, random),
}))
