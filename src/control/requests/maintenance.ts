import type { AgentId, Millis } from '../../model/ids.ts'
import type { AgentRecord, Maintenance } from '../../model/records.ts'
import type { Cluster } from '../leader/cluster.ts'
import type { TurnContext } from '../leader/term.ts'
import { type MaintenanceRequest, RequestError } from './control-plane.ts'

const REASONS = { cordon: 'Cordoned', uncordon: 'Uncordoned', drain: 'Draining' } as const

/** Takes a machine out of service, or back into it; said again it changes the deadline. @throws RequestError `NotFound`. */
export function maintain(name: string, request: MaintenanceRequest, { term, draft, now }: TurnContext): void {
  const agent = agentNamed(name, term.cluster)
  const maintenance = maintenanceOf(agent, request, now)
  draft.write({ table: 'agents', id: agent.id, value: { ...agent, maintenance } })
  const message =
    maintenance === null
      ? 'gets tasks again'
      : request.verb === 'drain'
        ? `gets no tasks, and those that it has leave it within ${request.deadlineSeconds} s`
        : 'gets no tasks'
  draft.event(
    { object: `agent/${agent.id}`, app: null, reason: REASONS[request.verb], message, level: 'Normal', actor: request.actor },
    now,
  )
}

function maintenanceOf({ maintenance: before }: AgentRecord, request: MaintenanceRequest, now: Millis): Maintenance | null {
  const { actor } = request
  const since = before?.since ?? now
  switch (request.verb) {
    case 'uncordon':
      return null
    case 'cordon':
      return { phase: 'Cordoned', since, deadlineAt: null, actor }
    case 'drain':
      return { phase: 'Draining', since, deadlineAt: now + request.deadlineSeconds * 1000, actor }
  }
}

/** @throws RequestError `NotFound`. */
export function agentNamed(name: string, { agents }: Cluster): AgentRecord {
  const agent = agents.get(name as AgentId)
  if (agent === undefined) throw new RequestError('NotFound', `no agent ${name}; there is ${[...agents.keys()].join(', ') || 'none'}`)
  return agent
}
