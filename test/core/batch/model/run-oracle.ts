import type { TaskState } from '../../../../src/core/task-state.ts'
import type { RunSpec } from '../../../../src/model/batch.ts'
import { bodyOf } from '../../../../src/model/body.ts'
import type { Run, Write } from '../../../../src/model/records.ts'
import type { Task } from '../../../../src/model/task.ts'
import { replaceAfter } from '../../../../src/model/unreachable.ts'
import type { Op } from '../../../../src/store/store.ts'
import { expectRun, mayRun, type RunFacts } from './expect-run.ts'
import { Ledger } from './ledger.ts'
import type { Look, Oracle, World } from './world.ts'

export const GAVE_WAY: ReadonlySet<string> = new Set(['Superseded', 'Replaced', 'Removed', 'RolledBack'])

export const runsIn = (writes: readonly Write[]): Run[] =>
  writes.flatMap((write) => (write.table === 'runs' && write.value !== null ? [write.value] : []))

const tasksIn = (writes: readonly Write[]): Task[] =>
  writes.flatMap((write) => (write.table === 'tasks' && write.value !== null ? [write.value] : []))

/** Holds every run to what its tasks say, from all of them that ever were. */
export class RunOracle implements Oracle {
  readonly broken: string[] = []
  readonly #ledger = new Ledger()
  readonly #world: () => World

  constructor(world: () => World) {
    this.#world = world
  }

  look(look: Look): void {
    const { state, writes } = look
    this.#ledger.see(state.tasks)
    this.#ledger.see(this.#drainedIn(look))
    this.#ledger.see(this.#lostIn(look))
    if (state.record.wanted) {
      const told = new Map(runsIn(writes).map((run) => [run.id, run]))
      const dropped = new Set(writes.flatMap(({ table, id, value }) => (table === 'runs' && value === null ? [id] : [])))
      const known = new Set(state.runs.map(({ id }) => id))
      const open = state.runs.filter(({ finishedAt, id }) => finishedAt === null && !dropped.has(id))
      const begun = [...told.values()].filter(({ id }) => !known.has(id))
      const byNumber = [...open, ...begun].sort((a, b) => a.number - b.number)
      for (const run of byNumber) this.#checkRun(run, told.get(run.id) ?? run, { look, isNew: !known.has(run.id) })
    }
    this.#ledger.decided(writes)
  }

  commit(ops: readonly Op[], how: 'Whole' | 'Cut'): void {
    this.#ledger.commit(ops, how)
  }

  /** Tasks that this look takes for lost: all on machines that were silent for as long as the template says, and no others. */
  #lostIn(look: Look): TaskState[] {
    const { state, writes, now } = look
    const said = writes.flatMap((write) => (write.table === 'observed' && write.value !== null ? [write.value] : []))
    const patience = replaceAfter(bodyOf(state.version).template.spec.unreachable, 'Job') ?? Number.POSITIVE_INFINITY
    const world = this.#world()
    const due = state.tasks.filter(({ task, observed }) => {
      const silence = task.agent === null ? 0 : world.fleet.silentFor(task.agent, world.real)
      return silence > 0 && silence >= patience * 1000 && !ENDED.has(observed?.phase ?? '')
    })
    const lost = due.flatMap(({ task, observed: before }) => {
      const observed = said.find((one) => one.task === task.id && one.phase === 'Lost' && one.failures === (before?.failures ?? 0))
      return observed === undefined ? [] : [{ task: tasksIn(writes).find(({ id }) => id === task.id) ?? task, observed }]
    })
    if (state.record.wanted && (lost.length < due.length || said.length > lost.length))
      this.broken.push(
        `${new Date(now).toISOString()} ${lost.length} of ${due.length} silent tasks are taken for lost, and ${said.length} in all`,
      )
    return lost
  }

  /** Tasks that this look tells to stop because the time of their drained machine is over. */
  #drainedIn({ state, writes, now }: Look): TaskState[] {
    const world = this.#world()
    const due = state.tasks.filter(({ task, observed }) => {
      const deadline = task.agent === null ? null : world.drainedAt(task.agent)
      return deadline !== null && deadline <= now && task.desired === 'run' && !ENDED.has(observed?.phase ?? '')
    })
    const told = new Map(tasksIn(writes).map((task) => [task.id, task]))
    if (state.record.wanted && due.some(({ task }) => told.get(task.id)?.desired !== 'stop'))
      this.broken.push(`${new Date(now).toISOString()} tasks stay on a drained machine`)
    return due.flatMap(({ observed, task: { id } }) => {
      const task = told.get(id)
      return task === undefined ? [] : [{ task, observed }]
    })
  }

  #checkRun(before: Run, after: Run, { look, isNew }: { look: Look; isNew: boolean }): void {
    const own = [...this.#ledger.ofRun(after.id)]
    const written = tasksIn(look.writes).filter(({ run }) => run === after.id)
    const ids = new Set(own.map(({ task }) => task.id))
    const create = written.filter(({ id }) => !ids.has(id)).map(({ slot, maxRestarts }) => ({ slot, maxRestarts }))
    const gone = look.writes.flatMap(({ table, id, value }) => (table === 'tasks' && value === null ? [id] : []))
    const stopped = new Set<string>([...gone, ...written.filter(({ desired }) => desired === 'stop').map(({ id }) => id)])
    const isOver = after.finishedAt !== null || after.phase === 'Suspended'
    const left = own.filter(({ task, observed }) => task.desired === 'run' && !ENDED.has(observed?.phase ?? '') && !stopped.has(task.id))
    if (isOver && left.length > 0) this.#wrong(after, look, `is ${after.phase}, and ${left.length} of its tasks go on`)
    if (after.reason !== null && GAVE_WAY.has(after.reason)) return
    const facts = this.#factsOf(isNew ? null : before, after, look)
    const expected = expectRun(facts)
    const found = { phase: after.phase, reason: after.reason, create }
    const startedAt = ['Pending', 'Suspended'].includes(after.phase) ? null : (facts.startedAt ?? look.now)
    if (after.startedAt !== startedAt) this.#wrong(after, look, `started at ${after.startedAt} instead of ${startedAt}`)
    if (JSON.stringify(found) !== JSON.stringify(expected))
      this.#wrong(after, look, `came to ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`)
  }

  #factsOf(before: Run | null, after: Run, { state, writes, now }: Look): RunFacts {
    const isJob = state.version.kind === 'Job'
    const version =
      isJob || after.templateDigest === state.record.templateDigest ? state.version : this.#world().version(after.inputsDigest)
    const earlier = new Set([...state.runs, ...runsIn(writes)].flatMap(({ id, number }) => (number < after.number ? [id] : [])))
    const taken = tasksIn(writes).filter(({ run, desired }) => desired === 'run' && run !== null && earlier.has(run))
    const sooner = new Set(this.#beforeIt(after, { state, writes }))
    const gone = new Set(writes.flatMap(({ table, id, value }) => (table === 'tasks' && value === null && sooner.has(id) ? [id] : [])))
    const others = [...this.#ledger.ofWorkload(after.workload)].filter(({ task }) => task.run !== after.id && !gone.has(task.id))
    const busy = others.filter((one) => mayRun(one, now))
    return {
      spec: bodyOf(version) as RunSpec,
      tasks: [...this.#ledger.ofRun(after.id)],
      busy: new Set([...busy.map(({ task }) => task.slot), ...taken.map(({ slot }) => slot)]),
      machines: this.#world().matching(),
      wish: wishOf(state),
      startedAt: before?.startedAt ?? null,
      now,
    }
  }

  /** Tasks of runs that are looked at before this one: those that give way, and those that are older. */
  #beforeIt({ number }: Run, { state, writes }: Pick<Look, 'state' | 'writes'>): string[] {
    const told = new Map([...state.runs, ...runsIn(writes)].map((run) => [run.id, run]))
    const isBefore = (run: Run | undefined): boolean => run !== undefined && (run.number < number || GAVE_WAY.has(run.reason ?? ''))
    return state.tasks.flatMap(({ task }) => (task.run === null || isBefore(told.get(task.run)) ? [task.id] : []))
  }

  #wrong(run: Run, { now }: Look, what: string): void {
    this.broken.push(`${new Date(now).toISOString()} run ${run.id} ${what}`)
  }
}

const ENDED: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected'])

function wishOf({ version, unmet, blocked }: Look['state']): RunFacts['wish'] {
  if (version.kind === 'Job' && version.spec.suspend) return 'Suspend'
  return unmet.length > 0 || blocked === 'Yes' ? 'Wait' : 'Go'
}
