import { z } from 'zod'
import { TaskId } from '../../../src/model/ids.ts'
import type { TaskSpec } from '../../../src/model/task-spec.ts'
import type { AttemptRef } from '../../driver.ts'

/** Whose containers these are; several agents may share a machine. */
export interface Identity {
  readonly cluster: string
  readonly agent: string
}

const PREFIX = 'drover.dev/'
/** How a user's own label is marked in `TaskSpec.labels`. */
const USER_LABEL = 'label/'

/** The same for every start of one attempt, so that a repeat collides instead of making a second container. */
export const containerName = ({ agent }: Identity, { task, attempt }: AttemptRef): string => `drover-${agent}-${task}-${attempt}`

/** Drover's own come last, so no manifest can pretend to be another task. */
export function containerLabels(identity: Identity, ref: AttemptRef, spec: TaskSpec): Record<string, string> {
  const given = Object.entries(spec.labels)
  const user = given.filter(([key]) => key.startsWith(USER_LABEL)).map(([key, value]) => [key.slice(USER_LABEL.length), value] as const)
  const ours = given.filter(([key]) => !key.startsWith(USER_LABEL)).map(([key, value]) => [`${PREFIX}${key}`, value] as const)
  return {
    ...Object.fromEntries(user.filter(([key]) => !key.startsWith(PREFIX))),
    ...Object.fromEntries(ours),
    ...identityLabels(identity),
    ...attemptLabels(ref),
  }
}

const attemptLabels = ({ task, attempt }: AttemptRef): Record<string, string> => ({
  [`${PREFIX}task`]: task,
  [`${PREFIX}attempt`]: String(attempt),
})

const identityLabels = ({ cluster, agent }: Identity): Record<string, string> => ({
  [`${PREFIX}cluster`]: cluster,
  [`${PREFIX}agent`]: agent,
})

const asFilter = (labels: Record<string, string>): string[] => Object.entries(labels).map(([key, value]) => `${key}=${value}`)

/** For the engine's `filters`: everything that carries this agent's mark. */
export const labelFilter = (identity: Identity): string[] => asFilter(identityLabels(identity))

/** The same of one attempt of it. */
export const labelFilterOf = (identity: Identity, ref: AttemptRef): string[] =>
  asFilter({ ...identityLabels(identity), ...attemptLabels(ref) })

const Mark = z
  .object({ [`${PREFIX}task`]: TaskId, [`${PREFIX}attempt`]: z.coerce.number().int().positive() })
  .transform((labels) => ({ task: labels[`${PREFIX}task`] as TaskId, attempt: labels[`${PREFIX}attempt`] as number }))

/** The attempt a container says it is; null when it carries no whole mark. */
export function refOfLabels(labels: Readonly<Record<string, string>>): AttemptRef | null {
  return Mark.safeParse(labels).data ?? null
}

/** True when a container found under an attempt's name is that attempt's, of this agent. */
export function isOurs(identity: Identity, ref: AttemptRef, labels: Readonly<Record<string, string>>): boolean {
  const expected = { ...identityLabels(identity), ...attemptLabels(ref) }
  return Object.entries(expected).every(([key, value]) => labels[key] === value)
}
