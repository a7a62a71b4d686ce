import type { TaskEvent } from '../src/core/task.ts'
import { RetryableError } from '../src/lib/errors.ts'
import type { SealedValue } from '../src/model/secret.ts'
import type { TaskSpec } from '../src/model/task-spec.ts'

/** Gives a sealed value in plain. @throws TerminalError `SecretUnreadable`, RetryableError while nobody can be asked */
export type OpenSecret = (value: SealedValue, signal: AbortSignal) => Promise<string>

/** Values in plain by what they are the value of. Only in memory: never in a journal, a log line or an error. */
export type OpenedSecrets = ReadonlyMap<string, string>

export const NO_SECRETS: OpenedSecrets = new Map()

/** Every secret value of a task. @throws as `OpenSecret` */
export async function openSecrets({ units, volumes }: TaskSpec, open: OpenSecret, signal: AbortSignal): Promise<OpenedSecrets> {
  const files = volumes.flatMap((volume) => (volume.type === 'secret' ? Object.values(volume.files) : []))
  const sealed = [...units.flatMap(({ secretEnv }) => Object.values(secretEnv)), ...files]
  return new Map(await Promise.all(sealed.map(async (value) => [value.of, await open(value, signal)] as const)))
}

/** @throws RetryableError for one that was not opened: a task must not start without its password, nor a probe judge it so. */
function plainOf({ of }: SealedValue, secrets: OpenedSecrets): string {
  const plain = secrets.get(of)
  if (plain === undefined) throw new RetryableError(`the secret value ${of} was not opened`)
  return plain
}

/** Variables or files with their values in plain. */
export const plainAll = (values: Readonly<Record<string, SealedValue>>, secrets: OpenedSecrets): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, plainOf(value, secrets)]))

/** A shorter one would black out half of what is said; such a value is no secret. */
const SHORTEST_HIDDEN = 4
const HIDDEN = '(secret)'

/** Blacks out secret values, and single lines of those that have several, the longest first. */
export function hider(secrets: OpenedSecrets): (text: string) => string {
  const words = [...secrets.values()].flatMap((value) => [value, ...value.split('\n')]).filter((word) => word.length >= SHORTEST_HIDDEN)
  const longestFirst = [...new Set(words)].sort((a, b) => b.length - a.length)
  return (text) => longestFirst.reduce((said, word) => said.replaceAll(word, HIDDEN), text)
}

interface Said {
  readonly lastLines?: readonly string[]
  readonly reason?: { readonly message: string }
  readonly failure?: { readonly message: string } | null
}

/** What a task says of itself goes to the store and to people: its last lines, its probes' answers, its failures. */
export function withoutSecrets(event: TaskEvent, secrets: OpenedSecrets): TaskEvent {
  if (secrets.size === 0) return event
  const hide = hider(secrets)
  const { lastLines, reason, failure } = event as TaskEvent & Said
  const said: Said = {
    ...(lastLines === undefined ? {} : { lastLines: lastLines.map(hide) }),
    ...(reason === undefined ? {} : { reason: { ...reason, message: hide(reason.message) } }),
    ...(failure === undefined || failure === null ? {} : { failure: { ...failure, message: hide(failure.message) } }),
  }
  return Object.assign({ ...event }, said)
}
