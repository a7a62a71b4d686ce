import { lostTask, lostWrites } from '../../core/given-up.ts'
import { FORGOTTEN, isTerminal } from '../../core/task-state.ts'
import type { AgentId } from '../../model/ids.ts'
import { reasonOf } from '../../model/reason.ts'
import type { ForgottenAgent } from '../../model/records.ts'
import type { ForgottenView } from '../../model/views.ts'
import { forgottenReason } from '../agents/agent-inputs.ts'
import type { TurnContext } from '../leader/term.ts'
import { type ForgetRequest, RequestError } from './control-plane.ts'
import { agentNamed } from './maintenance.ts'
import { iso } from './times.ts'

/**
 * Gives up a machine for good: what ran there is lost, and tried elsewhere. Who bears its name is refused until `admit`.
 * @throws RequestError `NotFound`, or `Conflict` while it is connected.
 */
export function forget(name: string, { connected, actor }: ForgetRequest, { term, draft, now }: TurnContext): ForgottenView {
  const { cluster, hub } = term
  const agent = agentNamed(name, cluster)
  if (connected === 'Refuse' && hub.isConnected(agent.id))
    throw new RequestError(
      'Conflict',
      `agent ${agent.id} is connected: drain it and stop it first, or say --connected, and it is told to stop what it runs`,
    )
  const forgotten: ForgottenAgent = { id: agent.id, instance: agent.instance, at: now, actor }
  const reason = reasonOf(FORGOTTEN, `agent ${agent.id} was forgotten by ${actor}`)
  const lost = cluster
    .tasksOfAgent(agent.id)
    .filter((state) => !isTerminal(state))
    .flatMap((state) => lostTask(state, reason, now))
  for (const write of lostWrites(lost)) draft.write(write)
  draft.write({ table: 'agents', id: agent.id, value: null })
  draft.write({ table: 'forgotten', id: agent.id, value: forgotten })
  draft.touched.dismissed.push({ agent: agent.id, reason: forgottenReason(forgotten) })
  const message = `will not return: ${lost.length} tasks on it are lost`
  draft.event({ object: `agent/${agent.id}`, app: null, reason: 'Forgotten', message, level: 'Warning', actor }, now)
  return viewOf(forgotten, lost.length)
}

/** @throws RequestError `NotFound` where nobody was given up under this name. */
export function admit(name: string, actor: string, { term, draft, now }: TurnContext): ForgottenView {
  const known = term.cluster.forgotten.get(name as AgentId)
  if (known === undefined) {
    const others = [...term.cluster.forgotten.keys()].join(', ') || 'none'
    throw new RequestError('NotFound', `no agent ${name} was forgotten; those that were: ${others}`)
  }
  draft.write({ table: 'forgotten', id: known.id, value: null })
  const message = 'may join again'
  draft.event({ object: `agent/${known.id}`, app: null, reason: 'Admitted', message, level: 'Normal', actor }, now)
  return viewOf(known, 0)
}

const viewOf = ({ id, at, actor }: ForgottenAgent, lost: number): ForgottenView => ({ id, at: iso(at), actor, lost })
