import type { z } from 'zod'
import { AgentView, ForgottenView } from '../../model/views.ts'
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

/** Tasks of Deployments move to other machines, those of runs may end here until the deadline. */
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

export interface ForgetOptions {
  readonly connected?: true
}

export const forget: Command<ForgetOptions> = async (session, words, { connected }) => {
  const body = { connected: connected === true ? 'Forget' : 'Refuse' }
  const { id, lost } = await post(session, words, { verb: 'forget', body, answer: ForgottenView })
  session.printer.say(
    escapeText(`agent/${id} is forgotten, and ${lost} tasks on it are lost; \`drover admit agent/${id}\` lets it join again`),
  )
  return EXIT.ok
}

export const admit: Command<object> = async (session, words) => {
  const { id } = await post(session, words, { verb: 'admit', body: {}, answer: ForgottenView })
  session.printer.say(escapeText(`agent/${id} may join again`))
  return EXIT.ok
}

function drainVerdict({ id, maintenance }: AgentView): Verdict {
  if (maintenance?.phase !== 'Draining') return over(EXIT.unhealthy, `agent/${id} is no longer drained`)
  const { leaving, deadline } = maintenance
  if (leaving === 0) return over(EXIT.ok, `agent/${id} is drained: no task is left on it but those of Global Deployments`)
  return waiting(`agent/${id} gets no new tasks; ${leaving} are to leave it until ${deadline}`)
}

const readAgent = async (client: Client, id: string): Promise<AgentView> => byId('agent', id, await readAgents(client))

interface Asked {
  readonly verb: 'cordon' | 'uncordon' | 'drain'
  readonly body: object
}

const ask = (session: Session, words: readonly string[], asked: Asked): Promise<AgentView> =>
  post(session, words, { ...asked, answer: AgentView })

interface Posted<T> {
  readonly verb: Asked['verb'] | 'forget' | 'admit'
  readonly body: object
  readonly answer: z.ZodType<T>
}

async function post<T>(session: Session, words: readonly string[], { verb, body, answer }: Posted<T>): Promise<T> {
  const { kind, name } = await parseOne(words)
  if (kind !== 'agent') throw new CliError(EXIT.usage, `cannot ${verb} ${kind}/${name}`, 'give agent/NAME')
  const client = await session.client()
  return client.post(`/api/v1/agents/${encodeURIComponent(name)}/${verb}`, { ...body, actor: actorOf(session.deps) }, answer)
}
