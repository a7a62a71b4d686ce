import { WorkloadView } from '../../model/views.ts'
import { actorOf } from '../actor.ts'
import { CliError, EXIT } from '../exit.ts'
import { parseOne } from '../objects.ts'
import { escapeText } from '../output/escape.ts'
import { readWorkload, shortRevision, workloadName } from '../read.ts'
import { inNamespace, rolloutUnderWay, standingOf } from '../rollouts.ts'
import type { Command, Session } from '../session.ts'

export interface RolloutOptions {
  readonly namespace: string
}

/** Ends a canary pause, or tries again what a failed rollout left held. */
export const promote: Command<RolloutOptions> = async (session, words, options) => {
  const view = await ask(session, { verb: 'promote', words, namespace: options.namespace })
  const rollout = rolloutUnderWay(view)
  const where = rollout === null ? `it is ${view.health} at ${shortRevision(view.revision)}` : standingOf(rollout)
  session.printer.say(escapeText(`${workloadName(view)} is promoted: ${where}`))
  sayNext(session, view)
  return EXIT.ok
}

/** Ends a rollout under way as failed; what was good before comes back. */
export const abort: Command<RolloutOptions> = async (session, words, options) => {
  const view = await ask(session, { verb: 'abort', words, namespace: options.namespace })
  const back = view.quarantine === null ? '' : `, back to ${shortRevision(view.quarantine.goodRevision)}`
  session.printer.say(escapeText(`the rollout of ${workloadName(view)} is aborted${back}`))
  session.printer.say(`git still holds what was aborted; a new commit that changes it, or \`drover sync ${view.app} --retry\`, tries again`)
  sayNext(session, view)
  return EXIT.ok
}

const sayNext = ({ printer }: Session, view: WorkloadView): void =>
  printer.say(escapeText(`next: drover wait ${workloadName(view)}${inNamespace(view.namespace)} --healthy`))

interface Asked {
  readonly verb: 'promote' | 'abort'
  readonly words: readonly string[]
  readonly namespace: string
}

/** The name is looked up first: a wrong one is answered with the right one. */
async function ask(session: Session, { verb, words, namespace }: Asked): Promise<WorkloadView> {
  const { kind, name } = await parseOne(words)
  if (kind !== 'deployment' && kind !== 'workload' && kind !== 'job')
    throw new CliError(EXIT.usage, `cannot ${verb} ${kind}/${name}`, 'give deployment/NAME')
  const client = await session.client()
  const found = await readWorkload(client, { kind, name, namespace })
  const path = [found.namespace, found.kind, found.name].map(encodeURIComponent).join('/')
  return client.post(`/api/v1/workloads/${path}/${verb}`, { actor: actorOf(session.deps) }, WorkloadView)
}
