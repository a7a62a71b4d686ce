import fc from 'fast-check'
import { type WorkloadKey, workloadKey } from '../../../../src/model/ids.ts'
import { CronOracle } from './cron-oracle.ts'
import { GraphOracle } from './graph-oracle.ts'
import { JobOracle } from './job-oracle.ts'
import { RunOracle } from './run-oracle.ts'
import { SCHEDULES } from './slots.ts'
import { apply, type Event, event, pass, runDraft, saidOf, specOf } from './story.ts'
import { type Oracle, type Said, World } from './world.ts'

/** What happens to one workload of a history: an event, or what a commit says of it; null: it is removed. */
export type Step<T> = Event | { readonly type: 'commit'; readonly node: number; readonly said: T | null; readonly intent: Said['intent'] }

const JOB = workloadKey('default', 'Job', 'job')
const CRON = workloadKey('default', 'CronJob', 'cron')
const NODES = ['a', 'b', 'c', 'd'] as const

const often = <T>(values: readonly T[]) => fc.constantFrom(...values)

const policy = fc.oneof(
  fc.record({ runPolicy: fc.constant('OncePerSpec'), onRevert: often(['Skip', 'Block']) }),
  fc.record({ runPolicy: often(['OnChange', 'EveryRevision']), onRevert: often(['Skip', 'Run', 'Block']) }),
)
export const job = fc.record({ draft: runDraft, policy, suspend: often([false, false, false, true]) })
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

export function steps<T>(said: fc.Arbitrary<T>, nodes = 1): fc.Arbitrary<Step<T>[]> {
  const type = fc.constant('commit' as const)
  const intent = fc.constantFrom<Said['intent'][]>('Update', 'Update', 'Update', 'Restore')
  const what: fc.Arbitrary<T | null> = fc.oneof({ weight: 5, arbitrary: said }, { weight: 1, arbitrary: fc.constant(null) })
  const commit: fc.Arbitrary<Step<T>> = fc.record({ type, node: fc.nat(nodes - 1), said: what, intent })
  const step: fc.Arbitrary<Step<T>> = fc.oneof({ weight: 8, arbitrary: event }, { weight: 2, arbitrary: commit })
  return fc.array(step, { minLength: 5, maxLength: 30 })
}

const jobSaid = ({ draft, policy, suspend }: JobSaid, commit: number): Said =>
  saidOf('Job', 'job', { ...specOf(draft), ...policy, suspend }, commit)

const cronSaid = ({ draft, schedule, policies, more }: CronSaid, commit: number): Said =>
  saidOf('CronJob', 'cron', { schedule, ...policies, ...more, jobTemplate: { spec: specOf(draft) } }, commit)

function nodeSaid(index: number, { letter, ttl, after, ...spec }: NodeSaid, commit: number): Said {
  const choices = AFTER[index] ?? []
  const parents = choices[after % choices.length] ?? []
  const starts = parents.length === 0 ? { schedule: '*/5 * * * *' } : { after: parents }
  const fields = { backoffLimit: 1, ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }) }
  const run = specOf({ letter, fields, restartPolicy: 'Never', patience: null })
  return saidOf('CronJob', NODES[index] ?? '', { ...starts, ...spec, jobTemplate: { spec: run } }, commit)
}

const begin = <T>(node: number, said: T): Step<T> => ({ type: 'commit', node, said, intent: 'Update' })

interface Told {
  readonly world: World
  readonly oracles: readonly (Oracle & { readonly broken: readonly string[] })[]
}

const brokenIn = ({ world, oracles }: Told): string[] => [...world.broken, ...oracles.flatMap(({ broken }) => broken)]

function worldOf(keys: readonly WorkloadKey[], oracles: Told['oracles']): World {
  return new World(keys, {
    look: (look) => {
      for (const oracle of oracles) oracle.look(look)
    },
    commit: (ops, how) => {
      for (const oracle of oracles) oracle.commit(ops, how)
    },
  })
}

/** Tells a history step by step; ends at the first promise that is broken. */
function tell<T>(told: Told, given: readonly Step<T>[], { keys, said }: { keys: readonly WorkloadKey[]; said: Saying<T> }): void {
  for (const step of given) {
    if (step.type !== 'commit') apply(told.world, step, keys)
    else {
      const { node, intent } = step
      told.world.say(keys[node] as WorkloadKey, step.said === null ? null : { ...said(node, step.said), intent })
      told.world.turn()
    }
    if (brokenIn(told).length > 0) return
  }
}

type Saying<T> = (node: number, said: T) => Said

const isOpen = ({ world }: Told): boolean => world.runs.some(({ finishedAt }) => finishedAt === null)

/** Nothing fails any more, every machine is there, and nothing new is wanted: each run is to come to its end. */
function calm(told: Told): string[] {
  const { world } = told
  if (brokenIn(told).length > 0) return brokenIn(told)
  world.unmet = false
  world.full = false
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

export function jobHistory(first: JobSaid, given: readonly Step<JobSaid>[], extent: Extent): string[] {
  const runs: RunOracle = new RunOracle(() => told.world)
  const jobs = new JobOracle()
  const told: Told = { world: worldOf([JOB], [runs, jobs]), oracles: [runs, jobs] }
  let commits = 0
  let last = first
  const said = (_: number, next: JobSaid): Said => {
    last = next
    return jobSaid(next, ++commits)
  }
  tell(told, [begin(0, first), ...given], { keys: [JOB], said })
  told.world.say(JOB, jobSaid({ ...last, suspend: false }, ++commits))
  const broken = calm(told)
  extent.runs += jobs.begun
  return broken
}

export function cronHistory(first: CronSaid, given: readonly Step<CronSaid>[], extent: Extent): string[] {
  const runs: RunOracle = new RunOracle(() => told.world)
  const slots = new CronOracle()
  const told: Told = { world: worldOf([CRON], [runs, slots]), oracles: [runs, slots] }
  let commits = 0
  let last = first
  const said = (_: number, next: CronSaid): Said => {
    last = next
    return cronSaid(next, ++commits)
  }
  tell(told, [begin(0, first), ...given], { keys: [CRON], said })
  told.world.say(CRON, cronSaid({ ...last, more: { ...last.more, suspend: true } }, ++commits))
  const broken = calm(told)
  extent.slots += slots.started
  return broken
}

export function graphHistory(first: readonly NodeSaid[], given: readonly Step<NodeSaid>[], extent: Extent): string[] {
  const keys = NODES.map((name) => workloadKey('default', 'CronJob', name))
  const runs: RunOracle = new RunOracle(() => told.world)
  const [slots, graph] = [new CronOracle(), new GraphOracle()]
  const told: Told = { world: worldOf(keys, [runs, slots, graph]), oracles: [runs, slots, graph] }
  let commits = 0
  const last = [...first]
  const said = (index: number, next: NodeSaid): Said => {
    last[index] = next
    return nodeSaid(index, next, ++commits)
  }
  tell(told, [...first.map((one, index) => begin(index, { ...one, suspend: false })), ...given], { keys, said })
  for (const [index, one] of last.entries())
    told.world.say(keys[index] as WorkloadKey, nodeSaid(index, { ...one, suspend: index === 0 }, ++commits))
  const broken = calm(told)
  for (const key of keys) {
    const version = told.world.git.get(key)?.version
    const waiting = version?.kind === 'CronJob' && broken.length === 0 ? graph.waiting(key, version.spec) : []
    if (waiting.length > 0) broken.push(`${key} never followed ${JSON.stringify(waiting)}`)
  }
  extent.slots += slots.started
  extent.followed += graph.followed
  return broken
}
