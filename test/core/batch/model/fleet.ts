import type { AgentId, TaskId } from '../../../../src/model/ids.ts'
import { type Observed, type Task, TERMINAL } from '../../../../src/model/task.ts'
import { attempt, observed } from '../../../support/make.ts'

/** How the generator lets an attempt go on or end. */
export type Outcome = 'succeeds' | 'fails' | 'isRejected' | 'isLost' | 'isForgotten' | 'reboots'

/** What a machine knows of one task. `Gone`: nothing of it runs there. `Orphan`: it runs, and the leader takes it for lost. */
interface Placed {
  task: Task
  is: 'Running' | 'Orphan' | 'Gone'
  said: Observed
  /** When what nobody knows any more is swept away; on a clock that never jumps. */
  sweptAt: number
}

/** A task's spec as far as a machine acts on it. */
export interface OrderRule {
  readonly restartPolicy: 'OnFailure' | 'Never'
  readonly exclusive: boolean
}

/** What the store says of tasks. */
export interface Orders {
  readonly tasks: ReadonlyMap<TaskId, Task>
  readonly observed: ReadonlyMap<TaskId, Observed>
}

interface End {
  readonly outcome: Outcome
  readonly rule: OrderRule
  readonly exitCode: number
  readonly now: number
  readonly real: number
}

/** How the restart policy takes the end of an attempt. */
function lotOf(
  { task, said }: Placed,
  { outcome, rule, exitCode, now }: End,
): [Partial<Observed>, { exitCode: number | null; reason: string; now: number }] {
  const again = { phase: 'Preparing' as const, attempt: said.attempt + 1 }
  const isRestarted = rule.restartPolicy === 'OnFailure'
  const failures = said.failures + 1
  switch (outcome) {
    case 'fails':
      return [
        { ...(isRestarted && said.failures < (task.maxRestarts ?? 0) ? again : { phase: 'Failed' }), failures },
        { exitCode, reason: 'Error', now },
      ]
    case 'reboots':
      return [isRestarted ? again : { phase: 'Failed' }, { exitCode: null, reason: 'HostReboot', now }]
    case 'isLost':
      return [
        { phase: 'Lost', failures },
        { exitCode: null, reason: 'LostUnknownExit', now },
      ]
    default:
      return [{ phase: 'Succeeded' }, { exitCode: 0, reason: 'Completed', now }]
  }
}

/** Orphans are gone so long after their agent is back: a promise of the agents. */
const SWEPT_WITHIN = 60_000

/** What machines really do, whatever the leader believes. They act on durable orders only, and repeat what they said until it is known. */
export class Fleet {
  readonly machines = new Map<AgentId, 'Here' | 'Away'>()
  readonly broken: string[] = []
  readonly #placed = new Map<TaskId, Placed>()

  readonly #awaySince = new Map<AgentId, number>()

  /** Of a machine that is away, how long nothing was heard of it. */
  silentFor(agent: AgentId, real: number): number {
    return this.isHere(agent) ? 0 : real - (this.#awaySince.get(agent) ?? real)
  }

  /** A machine that comes back learns at once what it is to stop. */
  set(agent: AgentId, is: 'Here' | 'Away', real: number): void {
    if (is === 'Away' && this.isHere(agent)) this.#awaySince.set(agent, real)
    this.machines.set(agent, is)
  }

  get running(): Placed[] {
    return [...this.#placed.values()].filter(({ is }) => is === 'Running')
  }

  isHere(agent: AgentId): boolean {
    return this.machines.get(agent) === 'Here'
  }

  /** What the machines that are here have to say. */
  *statuses(): Generator<Observed> {
    for (const { task, said } of this.#placed.values()) if (task.agent !== null && this.isHere(task.agent)) yield said
  }

  /** All durable orders reach the machines that are here. What the leader took for lost, and runs, is stopped. */
  take(orders: Orders, ruleOf: (task: Task) => OrderRule, now: number): void {
    for (const placed of this.#placed.values()) if (!orders.tasks.has(placed.task.id)) this.#forget(placed)
    for (const task of orders.tasks.values()) {
      const known = this.#placed.get(task.id)
      const isOver = TERMINAL.has(orders.observed.get(task.id)?.phase ?? 'Assigned')
      // Also on a machine that is away: its silence was taken for its end, as the template allows.
      if (isOver && known?.is === 'Running') known.is = 'Gone'
      if (task.agent === null || !this.isHere(task.agent)) continue
      if (known !== undefined) known.task = task
      else if (!isOver) this.#begin(task, ruleOf(task), now)
    }
  }

  #begin(task: Task, { exclusive }: OrderRule, now: number): void {
    const said = observed({ task: task.id, ready: false, readySince: null, phase: task.desired === 'run' ? 'Running' : 'Stopped' })
    const is = task.desired === 'run' ? 'Running' : 'Gone'
    if (is === 'Running' && exclusive) this.#mustBeAlone(task)
    this.#placed.set(task.id, { task, is, said: { ...said, updatedAt: now }, sweptAt: 0 })
  }

  #mustBeAlone({ id, workload, slot }: Task): void {
    const twin = [...this.#placed.values()].find(({ task, is }) => is !== 'Gone' && task.workload === workload && task.slot === slot)
    if (twin !== undefined) this.broken.push(`exclusive: ${id} starts in ${slot} while ${twin.task.id} runs`)
  }

  #forget({ task, is }: Placed): void {
    if (is === 'Running' && task.agent !== null && this.isHere(task.agent)) this.broken.push(`${task.id} is forgotten while it runs`)
    if (is !== 'Orphan') this.#placed.delete(task.id)
  }

  /** An attempt ends, or goes on with the next; what was told to stop has stopped whatever else was to come of it. */
  end(placed: Placed, how: End): void {
    const { task, said } = placed
    if (task.agent === null || !this.isHere(task.agent)) return
    if (task.desired === 'stop') this.#tell(placed, { phase: 'Stopped' }, { ...how, exitCode: 143, reason: 'Stopped' })
    else if (how.outcome === 'isForgotten') this.#orphan(placed, how.real)
    else if (how.outcome !== 'isRejected') this.#tell(placed, ...lotOf(placed, how))
    else if (said.attempts.length === 0) this.#refuse(placed)
  }

  #tell(
    placed: Placed,
    over: Partial<Observed>,
    { exitCode, reason, now }: { exitCode: number | null; reason: string; now: number },
  ): void {
    const { said } = placed
    const record = { ...attempt(said.attempt, exitCode, now), reason }
    placed.said = { ...said, ...over, attempts: [...said.attempts, record].slice(-20) }
    if (TERMINAL.has(placed.said.phase)) placed.is = 'Gone'
  }

  #refuse(placed: Placed): void {
    placed.is = 'Gone'
    placed.said = { ...placed.said, phase: 'Rejected', reasons: [{ code: 'PortInUse', message: 'port 80', count: 1 }] }
  }

  /** The agent came back without its notes: the leader says that the task is lost, and what runs is swept away. */
  #orphan(placed: Placed, real: number): void {
    placed.is = 'Orphan'
    placed.sweptAt = real + SWEPT_WITHIN
    const reasons = [{ code: 'AgentForgot', message: `${placed.task.agent} came back without it`, count: 1 }]
    placed.said = { ...placed.said, phase: 'Lost', reasons }
  }

  /** Machines that are here carry out every stop. */
  obey(now: number): void {
    const rule: OrderRule = { restartPolicy: 'Never', exclusive: false }
    for (const placed of this.running)
      if (placed.task.desired === 'stop') this.end(placed, { outcome: 'succeeds', rule, exitCode: 143, now, real: 0 })
  }

  sweep(real: number): void {
    for (const placed of this.#placed.values()) if (placed.is === 'Orphan' && placed.sweptAt <= real) placed.is = 'Gone'
  }
}
