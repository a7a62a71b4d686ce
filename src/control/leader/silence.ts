import { REPLACEMENT_PAUSED } from '../../core/machine-troubles.ts'
import { stormOf } from '../../core/storm.ts'
import type { Clock } from '../../lib/clock.ts'
import type { AgentId, Millis } from '../../model/ids.ts'
import type { AgentRecord, Silence } from '../../model/records.ts'
import { UNREACHABLE_AFTER_MS } from '../agents/hub.ts'
import type { TurnContext } from './term.ts'

/** Notices what no message tells: that a machine fell silent. It is written down, so that the next leader knows it too. */
export class SilenceWatch {
  readonly #clock: Clock
  #next: Millis = 0
  #storm: 'Yes' | 'No' | 'NotLookedYet' = 'NotLookedYet'

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Before then, on the monotonic clock, no machine becomes unreachable; infinity where there is none. */
  get next(): Millis {
    return this.#next
  }

  /** After the inputs of a turn, before its decisions. Costs as much as there are machines only when one of them may have fallen silent. */
  look(context: TurnContext): void {
    const { cluster } = context.term
    if (this.#storm === 'NotLookedYet') this.#storm = cluster.spared.size > 0 ? 'Yes' : 'No'
    for (const agent of [...cluster.silent]) takeReturned(agent, context)
    if (this.#clock.monotonic() >= this.#next || (this.#next === Number.POSITIVE_INFINITY && cluster.agents.size > 0))
      this.#next = takeSilent(context, this.#clock.monotonic())
    this.#storm = settleStorm(this.#storm, context)
  }
}

function takeReturned(id: AgentId, { term, draft, now }: TurnContext): void {
  const agent = term.cluster.agents.get(id)
  if (agent === undefined || !term.hub.isHeardOf(id)) return
  draft.write({ table: 'agents', id, value: { ...agent, silence: null } })
  draft.event({ ...aboutAgent(id), reason: 'Returned', message: 'is heard of again', level: 'Normal' }, now)
}

/** Returns when the next one may follow. */
function takeSilent({ term, draft, now }: TurnContext, monotonic: Millis): Millis {
  const { cluster, hub } = term
  let next = cluster.agents.size === 0 ? Number.POSITIVE_INFINITY : monotonic + UNREACHABLE_AFTER_MS
  for (const agent of [...cluster.agents.values()].filter(({ silence }) => silence === null)) {
    const at = hub.unreachableAt(agent.id)
    if (at > monotonic) next = Math.min(next, at)
    else {
      const since = now - (monotonic - at) - UNREACHABLE_AFTER_MS
      draft.write({ table: 'agents', id: agent.id, value: { ...agent, silence: { since, spared: false } } })
      const message = `nothing was heard of it for ${UNREACHABLE_AFTER_MS / 1000} s; how its tasks are is not known`
      draft.event({ ...aboutAgent(agent.id), reason: 'Unreachable', message, level: 'Warning' }, now)
    }
  }
  return next
}

/** When most machines are silent at once nothing is replaced; when that is over, silence counts anew. */
function settleStorm(before: 'Yes' | 'No', context: TurnContext): 'Yes' | 'No' {
  const { term, draft, now } = context
  const { cluster } = term
  const storm = new Set(cluster.silent.size === 0 ? [] : stormOf(cluster.agents.values(), now))
  for (const id of [...cluster.silent]) spare(id, storm.has(id), context)
  const after = storm.size > 0 ? 'Yes' : 'No'
  if (before === after) return after
  if (after === 'No') term.hub.calm()
  draft.event({ ...FLEET, ...(after === 'No' ? RESUMED : pausedBy(storm.size, cluster.agents.size)) }, now)
  for (const id of cluster.silent) for (const { task } of cluster.tasksOfAgent(id)) draft.touched.workloads.add(task.workload)
  return after
}

function spare(id: AgentId, spared: Silence['spared'], { term, draft }: TurnContext): void {
  const agent: AgentRecord | undefined = term.cluster.agents.get(id)
  if (agent?.silence == null || agent.silence.spared === spared) return
  draft.write({ table: 'agents', id, value: { ...agent, silence: { ...agent.silence, spared } } })
}

const aboutAgent = (id: AgentId) => ({ object: `agent/${id}`, app: null, actor: 'drover' })

/** Whose events tell of all machines together. */
const FLEET = { object: 'cluster/agents', app: null, actor: 'drover' }
const RESUMED = { reason: 'ReplacementResumed', message: 'enough machines are heard of again', level: 'Normal' } as const

const pausedBy = (silent: number, all: number) =>
  ({
    reason: REPLACEMENT_PAUSED,
    message: `${silent} of ${all} machines fell silent together: nothing is replaced until most are heard of, cordoned or forgotten`,
    level: 'Warning',
  }) as const
