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

/** Shorter ones would black out half of what is said; such a value is no secret. */
const SHORTEST_HIDDEN = 4
const HIDDEN = '(secret)'

type Hide = (text: string) => string

/**
 * Blacks out secret values, and single lines of those that have several, the longest first. What travels was cut to a
 * length before, so the part of a value at either end goes too.
 */
export function hider(secrets: OpenedSecrets): Hide {
  const words = [...secrets.values()].flatMap((value) => [value, ...value.split(/\r?\n/)])
  const long = words.filter((word) => word.trim().length >= SHORTEST_HIDDEN)
  const longestFirst = [...new Set(long)].sort((a, b) => b.length - a.length)
  const whole: Hide = (text) => longestFirst.reduce((said, word) => said.replaceAll(word, HIDDEN), text)
  return (text) => longestFirst.reduce((said, word) => withoutEnd(withoutStart(said, word), word), whole(text))
}

function withoutEnd(text: string, word: string): string {
  for (let size = Math.min(text.length, word.length - 1); size >= SHORTEST_HIDDEN; size -= 1)
    if (text.endsWith(word.slice(0, size))) return `${text.slice(0, -size)}${HIDDEN}`
  return text
}

function withoutStart(text: string, word: string): string {
  for (let size = Math.min(text.length, word.length - 1); size >= SHORTEST_HIDDEN; size -= 1)
    if (text.startsWith(word.slice(-size))) return `${HIDDEN}${text.slice(size)}`
  return text
}

/** What becomes of the words in an event. */
interface Telling {
  readonly lines: (lines: readonly string[]) => readonly string[]
  readonly reason: (message: string) => string
  readonly failure: (message: string) => string
}

/** What a task says of itself goes to the store and to people: its last lines, its probes' answers, its failures. */
export function withoutSecrets(event: TaskEvent, secrets: OpenedSecrets): TaskEvent {
  if (secrets.size === 0) return event
  const hide = hider(secrets)
  return retold(event, { lines: (lines) => lines.map(hide), reason: hide, failure: hide })
}

const UNTOLD = 'it failed; what it said is not kept, for its secrets cannot be opened here to black them out'

/** Where the values are not known, nothing that a task says can be kept; failures are Drover's own words. */
export const withoutWords = (event: TaskEvent): TaskEvent =>
  retold(event, { lines: () => [], reason: () => UNTOLD, failure: (message) => message })

function retold(event: TaskEvent, tell: Telling): TaskEvent {
  switch (event.type) {
    case 'exited':
    case 'stopped':
      return { ...event, lastLines: tell.lines(event.lastLines) }
    case 'unready':
    case 'unhealthy':
      return { ...event, reason: { ...event.reason, message: tell.reason(event.reason.message) }, lastLines: tell.lines(event.lastLines) }
    case 'prepareFailed':
    case 'startFailed':
    case 'stepFailed':
    case 'stuck':
    case 'removeFailed':
      return { ...event, failure: { ...event.failure, message: tell.failure(event.failure.message) } }
    case 'startNotCalled':
      return event.failure === null ? event : { ...event, failure: { ...event.failure, message: tell.failure(event.failure.message) } }
    case 'assigned':
    case 'agentRestarted':
    case 'due':
    case 'prepared':
    case 'started':
    case 'attached':
    case 'neverStarted':
    case 'goneMissing':
    case 'startupPassed':
    case 'ready':
    case 'cutOff':
    case 'removed':
      return event
    default:
      return event satisfies never
  }
}
