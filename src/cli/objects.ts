import { CliError, EXIT } from './exit.ts'

const KINDS = ['app', 'workload', 'deployment', 'job', 'cronjob', 'task', 'run', 'agent', 'event', 'rollout', 'revision'] as const
export type Kind = (typeof KINDS)[number]

const ALIASES: Readonly<Record<string, Kind>> = {
  app: 'app',
  apps: 'app',
  workload: 'workload',
  workloads: 'workload',
  wl: 'workload',
  deploy: 'deployment',
  deployment: 'deployment',
  deployments: 'deployment',
  job: 'job',
  jobs: 'job',
  cj: 'cronjob',
  cronjob: 'cronjob',
  cronjobs: 'cronjob',
  task: 'task',
  tasks: 'task',
  run: 'run',
  runs: 'run',
  agent: 'agent',
  agents: 'agent',
  node: 'agent',
  nodes: 'agent',
  event: 'event',
  events: 'event',
  ev: 'event',
  rollout: 'rollout',
  rollouts: 'rollout',
  ro: 'rollout',
  revision: 'revision',
  revisions: 'revision',
  rev: 'revision',
}

/** What a manifest names by itself, in a namespace; `workload` stands for any of them. */
export const isWorkloadKind = (kind: Kind): boolean => kind === 'workload' || kind === 'deployment' || kind === 'job' || kind === 'cronjob'

/** Names one object, or all of a kind where `name` is null. */
export interface ObjectName {
  readonly kind: Kind
  readonly name: string | null
}

/** `KIND`, `KIND NAME` or `KIND/NAME`; the name of a rollout holds slashes itself. @throws CliError 2 for a kind that is none. */
export async function parseObject(words: readonly string[]): Promise<ObjectName> {
  const [first = '', second = null] = words
  const slash = first.indexOf('/')
  const kindWord = slash === -1 ? first : first.slice(0, slash)
  const name = slash === -1 ? second : first.slice(slash + 1)
  const kind = Object.hasOwn(ALIASES, kindWord.toLowerCase()) ? ALIASES[kindWord.toLowerCase()] : undefined
  if (kind === undefined) throw await unknownKind(kindWord)
  if (slash !== -1 && (second !== null || name === ''))
    throw new CliError(EXIT.usage, `give KIND/NAME or KIND NAME, not "${words.join(' ')}"`)
  return { kind, name }
}

async function unknownKind(word: string): Promise<CliError> {
  const { didYouMean } = await import('../manifest/suggest.ts')
  const hint = didYouMean(word, Object.keys(ALIASES)) ?? `kinds are ${KINDS.join(', ')}`
  return new CliError(EXIT.usage, `there is no kind "${word}"`, hint)
}

/** @throws CliError 2 when only a kind is given. */
export async function parseOne(words: readonly string[]): Promise<{ kind: Kind; name: string }> {
  const { kind, name } = await parseObject(words)
  if (name === null) throw new CliError(EXIT.usage, `which ${kind}? give ${kind}/NAME`, `\`drover get ${kind}\` lists them`)
  return { kind, name }
}

/** What stands in a record of its own and has no tasks: only `describe` tells of it. */
export function onlyDescribed({ kind, name }: { kind: Kind; name: string }): void {
  if (kind !== 'rollout' && kind !== 'revision') return
  throw new CliError(EXIT.usage, `${kind}/${name} is no workload, task or run`, `\`drover describe ${kind}/${name}\` tells of it`)
}
