import type { AgentId } from '../../model/ids.ts'
import { reasonOf } from '../../model/reason.ts'
import type { Health, WhyView } from '../../model/views.ts'
import { forgottenReason } from '../agents/agent-inputs.ts'
import type { Term } from '../leader/term.ts'
import { RequestError } from './control-plane.ts'
import { agentNamed } from './maintenance.ts'
import { agentView } from './views.ts'
import type { Line } from './why-lines.ts'

const HEALTH_OF_AGENT: Readonly<Record<'Ready' | 'Suspect' | 'Unreachable', Health>> = {
  Ready: 'Healthy',
  Suspect: 'Progressing',
  Unreachable: 'Unknown',
}

/** What keeps a machine from getting tasks, and what becomes of those that it has. @throws RequestError `NotFound`. */
export function whyAgent(id: string, term: Term): WhyView {
  const forgotten = term.cluster.forgotten.get(id as AgentId)
  if (forgotten !== undefined) throw new RequestError('NotFound', forgottenReason(forgotten))
  const view = agentView(agentNamed(id, term.cluster), term)
  const about = `agent/${id}`
  const lines: Line[] = [
    ...(view.reasons.length === 0 ? [] : [{ about, reasons: [...view.reasons], until: null }]),
    ...maintenanceLines(about, view),
  ]
  return { object: about, health: HEALTH_OF_AGENT[view.status], summary: `${view.status}, ${view.used.tasks} tasks`, lines, nextWake: null }
}

function maintenanceLines(about: string, { maintenance }: ReturnType<typeof agentView>): Line[] {
  if (maintenance === null) return []
  const { phase, actor, since, leaving, deadline } = maintenance
  const what = phase === 'Draining' ? `is drained; ${leaving} tasks are to leave it` : 'gets no new tasks'
  return [{ about, reasons: [reasonOf(phase, `${what}: said by ${actor} at ${since}`)], until: deadline }]
}
