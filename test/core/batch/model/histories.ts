import fc from 'fast-check'
import { type WorkloadKey, workloadKey } from '../../../../src/model/ids.ts'
import { CronOracle } from './cron-oracle.ts'
import { GraphOracle } from './graph-oracle.ts'
import { JobOracle } from './job-oracle.ts'
import { RunOracle } from './run-oracle.ts'
import { SCHEDULES } from './slots.ts'
import { apply, type Event, event, limits, pass, runDraft, saidOf, specOf } from './story.ts'
import { type Oracle, type Said, World } from './world.ts'

/** What a commit says of a workload; null: it is removed. Some of it may stay as it was. */
interface Commit<T> {
  readonly type: 'commit'
  readonly node: number
  readonly said: T | null
  readonly stays: readonly (keyof T)[]
  readonly intent: Said['intent']
}

/** What happens in a history. */
export type Step<T> = Event | Commit<T>

const JOB = workloadKey('default', 'Job', 'job')
const CRON = workloadKey('default', 'CronJob', 'cron')
const NODES = ['a', 'b', 'c', 'd'] as const

const often = <T>(values: readonly T[]) => fc.constantFrom(...values)

const policy = fc.oneof(
  fc.record({ runPolicy: fc.constant('OncePerSpec'), onRevert: often(['Skip', 'Block']) }),
  fc.record({ runPolicy: often(['OnChange', 'EveryRevision']), onRevert: often(['Skip', 'Run', 'Block']) }),
)
export const job = fc.record({ draft: runDraft, limits, policy, suspend: often([false, false, false, true]) })
type JobSaid = typeof job extends fc.Arbitrary<infer T> ? T : never

const POLICIES = [
  { concurrencyPolicy: 'Allow', missedRuns: 'Skip' },
  { concurrencyPolicy: 'Allow', missedRuns: 'RunLatest' },
  { concurrencyPolicy: 'Allow', missedRuns: 'RunAll' },
  { concurrencyPolicy: 'Forbid', missedRuns: 'Skip' },
  { concurrencyPolicy: 'Forbid', missedRuns: 'RunLatest' },
  { concurrencyPolicy: 'Forbid', missedRuns: 'RunAll' },
  { concurrencyPolicy: 'Replace', missedRuns: 'Skip' },
  { concurrencyPolicy: 'Replace', missedRuns: 'RunLatest' },
]
export const cron = fc.record({
  draft: runDraft,
  limits,
  schedule: often([...Object.keys(SCHEDULES), '* * * * *', '* * * * *', '*/5 * * * *']),
  policies: often(POLICIES),
  more: fc.record({ startingDeadlineSeconds: often([1, 60, 200, 90_000]), suspend: often([false, false, true]) }, { requiredKeys: [] }),
})
type CronSaid = typeof cron extends fc.Arbitrary<infer T> ? T : never

/** One CronJob of a graph; which others a node may start after lets no circle come to be. */
export const node = fc.record({
  letter: fc.constantFrom<('A' | 'B')[]>('A', 'B'),
  ttl: often([undefined, undefined, 0, 600]),
  concurrencyPolicy: often(['Allow', 'Forbid', 'Replace']),
  suspend: often([false, false, false, true]),
  after: fc.nat(2),
})
type NodeSaid = typeof node extends fc.Arbitrary<infer T> ? T : never

/** What each node may start after. */
const AFTER: readonly (readonly (readonly string[])[])[] = [[[]], [['a']], [['a'], ['b'], ['a', 'b']], [['b', 'c'], ['c'], ['a', 'c']]]

const commit = <T extends object>(said: fc.Arbitrary<T>, nodes: number): fc.Arbitrary<Commit<T>> =>
  said.chain((one) =>
    fc.record({
      type: fc.constant('commit' as const),
      node: fc.nat(nodes - 1),
      said: fc.constantFrom<(T | null)[]>(one, one, one, one, one, null),
      stays: fc.subarray(Object.keys(one) as (keyof T)[]),
      intent: fc.constantFrom<Said['intent'][]>('Update', 'Update', 'Update', 'Restore'),
    }),
  )

export function steps<T extends object>(said: fc.Arbitrary<T>, nodes = 1): fc.Arbitrary<Step<T>[]> {
  const step = fc.oneof({ weight: 8, arbitrary: event }, { weight: 2, arbitrary: commit(said, nodes) })
  return fc.array(step as fc.Arbitrary<Step<T>>, { minLength: 5, maxLength: 30 })
}

const jobSaid = (_: number, { draft, limits, policy, suspend }: JobSaid, commit: number): Said =>
  saidOf('Job', 'job', { ...specOf(draft, limits), ...policy, suspend }, commit)

const cronSaid = (_: number, { draft, limits, schedule, policies, more }: CronSaid, commit: number): Said =>
  saidOf('CronJob', 'cron', { schedule, ...policies, ...more, jobTemplate: { spec: specOf(draft, limits) } }, commit)

function nodeSaid(index: number, { letter, ttl, after, ...spec }: NodeSaid, commit: number): Said {
  const choices = AFTER[index] ?? []
  const parents = choices[after % choices.length] ?? []
  const starts = parents.length === 0 ? { schedule: '*/5 * * * *' } : { after: parents }
  const fields = { backoffLimit: 1, ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }) }
  const run = specOf({ letter, fields: {}, restartPolicy: 'Never', patience: null }, fields)
  return saidOf('CronJob', NODES[index] ?? '', { ...starts, ...spec, jobTemplate: { spec: run } }, commit)
}

interface Told {
  readonly world: World
  readonly keys: readonly WorkloadKey[]
  readonly oracles: readonly (Oracle & { readonly broken: readonly string[] })[]
}

const brokenIn = ({ world, oracles }: Told): string[] => [...world.broken, ...oracles.flatMap(({ broken }) => broken)]

function worldOf(keys: readonly WorkloadKey[], oracles: Told['oracles']): Told {
  const world = new World(keys, {
    look: (look) => {
      for (const oracle of oracles) oracle.look(look)
    },
    commit: (ops, how) => {
      for (const oracle of oracles) oracle.commit(ops, how)
    },
  })
  return { world, keys, oracles }
}

/** What git comes to say of a node. */
type Saying<T> = (node: number, said: T, commit: number) => Said

/** Tells a history step by step, ends it at the first promise that is broken, and says what was said last. */
function tell<T extends object>(told: Told, first: readonly T[], { given, said }: { given: readonly Step<T>[]; said: Saying<T> }): T[] {
  const { world, keys } = told
  const last = [...first]
  let commits = 0
  const commit = (node: number, next: T | null, intent: Said['intent']): void => {
    commits += 1
    world.say(keys[node] as WorkloadKey, next === null ? null : { ...said(node, next, commits), intent })
    world.turn()
  }
  for (const [node, one] of first.entries()) commit(node, one, 'Update')
  for (const step of given) {
    if (step.type !== 'commit') apply(world, step, keys)
    else {
      const before = last[step.node] as T
      if (step.said !== null) last[step.node] = { ...step.said, ...Object.fromEntries(step.stays.map((field) => [field, before[field]])) }
      commit(step.node, step.said === null ? null : (last[step.node] as T), step.intent)
    }
    if (brokenIn(told).length > 0) break
  }
  return last
}

const isOpen = ({ world }: Told): boolean => world.runs.some(({ finishedAt }) => finishedAt === null)

/** Nothing fails any more, every machine is there, and nothing new is wanted: each run is to come to its end. */
function calm(told: Told, last: readonly Said[]): string[] {
  const { world, keys } = told
  if (brokenIn(told).length > 0) return brokenIn(told)
  Object.assign(world, { unmet: false, full: false, cut: null })
  for (const [node, said] of last.entries()) world.say(keys[node] as WorkloadKey, said)
  for (const id of world.fleet.machines.keys()) world.fleet.set(id, 'Here', world.real)
  world.agents([...world.fleet.machines.keys()], { labels: { role: 'batch' }, maintenance: null })
  for (let turns = 0; turns < 300 && isOpen(told); turns += 1) {
    for (const placed of world.fleet.running)
      world.fleet.end(placed, { outcome: 'succeeds', rule: world.ruleOf(placed.task), exitCode: 0, now: world.now, real: world.real })
    const next = world.fleet.running.length === 0 ? world.nextWake() : null
    pass(world, next === null ? 1000 : Math.max(1000, next - world.now))
    world.turn()
  }
  return isOpen(told)
    ? [...brokenIn(told), `never ends: ${JSON.stringify(world.runs.find(({ finishedAt }) => finishedAt === null))}`]
    : brokenIn(told)
}

/** How much of what matters a history held. */
export interface Extent {
  runs: number
  slots: number
  followed: number
}

/** The last word, which nothing after it changes. */
const AT_LAST = 9999

export function jobHistory(first: JobSaid, given: readonly Step<JobSaid>[], extent: Extent): string[] {
  const runs: RunOracle = new RunOracle(() => told.world)
  const jobs = new JobOracle()
  const told = worldOf([JOB], [runs, jobs])
  const [last = first] = tell(told, [first], { given, said: jobSaid })
  const broken = calm(told, [jobSaid(0, { ...last, suspend: false }, AT_LAST)])
  extent.runs += jobs.begun
  return broken
}

export function cronHistory(first: CronSaid, given: readonly Step<CronSaid>[], extent: Extent): string[] {
  const runs: RunOracle = new RunOracle(() => told.world)
  const slots = new CronOracle()
  const told = worldOf([CRON], [runs, slots])
  const [last = first] = tell(told, [first], { given, said: cronSaid })
  const broken = calm(told, [cronSaid(0, { ...last, more: { ...last.more, suspend: true } }, AT_LAST)])
  extent.slots += slots.started
  return broken
}

export function graphHistory(first: readonly NodeSaid[], given: readonly Step<NodeSaid>[], extent: Extent): string[] {
  const keys = NODES.map((name) => workloadKey('default', 'CronJob', name))
  const runs: RunOracle = new RunOracle(() => told.world)
  const [slots, graph] = [new CronOracle(), new GraphOracle()]
  const told = worldOf(keys, [runs, slots, graph])
  const begin = first.map((one) => ({ ...one, suspend: false }))
  const last = tell(told, begin, { given, said: nodeSaid })
  // The schedule at the root ends; what it began goes on through the graph.
  const said = last.map((one, node) => nodeSaid(node, { ...one, suspend: node === 0 }, AT_LAST))
  const broken = calm(told, said)
  for (const [node, { version }] of said.entries()) {
    const waiting = version.kind === 'CronJob' && broken.length === 0 ? graph.waiting(keys[node] as WorkloadKey, version.spec) : []
    if (waiting.length > 0) broken.push(`${keys[node]} never followed ${JSON.stringify(waiting)}`)
  }
  extent.slots += slots.started
  extent.followed += graph.followed
  return broken
}
