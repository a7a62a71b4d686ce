import { AgentView } from '../../model/views.ts'
import { actorOf } from '../actor.ts'
import type { Client } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { over, type Verdict, waiting } from '../goals.ts'
import { parseOne } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import { byId, readAgents } from '../read.ts'
import type { Command, Session } from '../session.ts'
import { until } from '../until.ts'

/** Beyond the deadline tasks have their grace period to end. */
const GRACE_MS = 120_000

export const cordon: Command<object> = async (session, words) => {
  const { id } = await ask(session, words, { verb: 'cordon', body: {} })
  session.printer.say(escapeText(`agent/${id} gets no new tasks; \`drover uncordon agent/${id}\` gives it some again`))
  return EXIT.ok
}

export const uncordon: Command<object> = async (session, words) => {
  const { id } = await ask(session, words, { verb: 'uncordon', body: {} })
  session.printer.say(escapeText(`agent/${id} gets tasks again`))
  return EXIT.ok
}

export interface DrainOptions {
  readonly deadline: number
  readonly wait?: true
}

/** Tasks of Deployments stay for now, and the machine says how many tasks of runs are to end. */
export const drain: Command<DrainOptions> = async (session, words, { deadline, wait }) => {
  const deadlineSeconds = Math.ceil(deadline / 1000)
  const view = await ask(session, words, { verb: 'drain', body: { deadlineSeconds } })
  if (wait === undefined) {
    session.printer.say(escapeText(drainVerdict(view).about))
    return EXIT.ok
  }
  const judge = async (client: Client) => ({ verdict: drainVerdict(await readAgent(client, view.id)), workloads: [] })
  return await until(session, judge, { timeoutMs: deadline + GRACE_MS, object: `agent/${view.id}` })
}

function drainVerdict({ id, maintenance }: AgentView): Verdict {
  if (maintenance?.phase !== 'Draining') return over(EXIT.unhealthy, `agent/${id} is no longer drained`)
  const { leaving, deadline } = maintenance
  if (leaving === 0) return over(EXIT.ok, `agent/${id} is drained: no task of a run is left on it`)
  return waiting(`agent/${id} gets no new tasks; ${leaving} of runs may end until ${deadline}`)
}

const readAgent = async (client: Client, id: string): Promise<AgentView> => byId('agent', id, await readAgents(client))

interface Asked {
  readonly verb: 'cordon' | 'uncordon' | 'drain'
  readonly body: object
}

async function ask(session: Session, words: readonly string[], { verb, body }: Asked): Promise<AgentView> {
  const { kind, name } = await parseOne(words)
  if (kind !== 'agent') throw new CliError(EXIT.usage, `cannot ${verb} ${kind}/${name}`, 'give agent/NAME')
  const client = await session.client()
  return client.post(`/api/v1/agents/${encodeURIComponent(name)}/${verb}`, { ...body, actor: actorOf(session.deps) }, AgentView)
}
