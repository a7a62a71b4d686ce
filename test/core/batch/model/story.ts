import fc from 'fast-check'
import { templateDigestOf } from '../../../../src/control/source/render.ts'
import { digestOf } from '../../../../src/lib/canonical.ts'
import { normalize } from '../../../../src/manifest/normalize.ts'
import { versionOf } from '../../../../src/manifest/version.ts'
import type { AgentId, WorkloadKey } from '../../../../src/model/ids.ts'
import { CronJob, Job, type WorkloadManifest } from '../../../../src/model/manifest.ts'
import { revision } from '../../../support/make.ts'
import type { Outcome } from './fleet.ts'
import { MACHINES, type Said, type World } from './world.ts'

type Rendered = Omit<Said, 'revision' | 'intent'>

const said = new Map<string, Rendered>()

/** What git says of a Job or CronJob with this spec; the letter is its template. */
export function saidOf(kind: 'Job' | 'CronJob', name: string, spec: object, commit: number): Said {
  const text = JSON.stringify([kind, name, spec])
  const known = said.get(text) ?? rendered(kind, name, spec)
  said.set(text, known)
  return { ...known, revision: revision(`commit ${commit}`), intent: 'Update' }
}

function rendered(kind: 'Job' | 'CronJob', name: string, spec: object): Rendered {
  const written = { apiVersion: 'drover.dev/v1', kind, metadata: { name }, spec }
  const manifest = normalize(kind === 'Job' ? Job.parse(written) : CronJob.parse(written)) as WorkloadManifest
  const version = versionOf(manifest, { configs: {}, trees: {} })
  return { version, inputsDigest: digestOf(version), templateDigest: templateDigestOf(version) }
}

/** What a run is, as far as the generator varies it. */
export interface RunDraft {
  readonly letter: 'A' | 'B' | 'C'
  readonly fields: object
  readonly restartPolicy: 'OnFailure' | 'Never'
  /** After how many seconds a task on a silent machine counts as lost. */
  readonly patience: number | null
}

export type Limits = object & { readonly exclusive?: boolean }

export const specOf = ({ letter, fields, restartPolicy, patience }: RunDraft, limits: Limits): object => ({
  ...limits,
  ...fields,
  template: {
    spec: {
      ...(patience === null || limits.exclusive === true ? {} : { unreachable: { replaceAfterSeconds: patience } }),
      driver: 'fake',
      restartPolicy,
      containers: [{ name: 'main', image: `a:${letter}` }],
      placement: { nodeSelector: { role: 'batch' } },
    },
  },
})

const RULES = [
  { action: 'FailIndex', onExitCodes: { operator: 'In', values: [3] } },
  { action: 'Ignore', onReasons: ['HostReboot', 'PortInUse'] },
  { action: 'FailJob', onExitCodes: { operator: 'In', values: [4] } },
  { action: 'Ignore', onExitCodes: { operator: 'NotIn', values: [1, 3, 4] } },
]

const perIndex = fc.record(
  {
    completionMode: fc.constant('Indexed'),
    backoffLimitPerIndex: fc.nat(2),
    maxFailedIndexes: fc.nat(2),
    taskFailurePolicy: fc.record({ rules: fc.subarray(RULES, { minLength: 1 }) }),
  },
  { requiredKeys: ['completionMode'] },
)

const shape = fc.oneof(
  { weight: 4, arbitrary: fc.record({ completions: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.constant({ mode: 'Global' }) },
)

/** What may change while a run goes on. */
export const limits: fc.Arbitrary<Limits> = fc.record(
  {
    parallelism: fc.integer({ min: 1, max: 3 }),
    backoffLimit: fc.nat(4),
    activeDeadlineSeconds: fc.constantFrom(30, 600, 90_000),
    ttlSecondsAfterFinished: fc.constantFrom(0, 100, 86_400),
    exclusive: fc.boolean(),
  },
  { requiredKeys: ['parallelism'] },
)

const template = {
  letter: fc.constantFrom<RunDraft['letter'][]>('A', 'B', 'C'),
  patience: fc.constantFrom(null, null, 60, 300),
}

const plain = fc.record({ ...template, restartPolicy: fc.constantFrom('OnFailure' as const, 'Never' as const), fields: shape })
const indexed = fc.record({
  ...template,
  restartPolicy: fc.constant('Never' as const),
  fields: fc.tuple(shape, perIndex).map(([one, two]) => ({ ...one, ...two, mode: 'Replicated' })),
})

export const runDraft: fc.Arbitrary<RunDraft> = fc.oneof({ weight: 3, arbitrary: plain }, { weight: 1, arbitrary: indexed })

const SECONDS = [1, 10, 20, 59, 60, 61, 120, 300, 300, 900, 3600]
const LONG = [36_000, 86_400, 400 * 86_400]
const OUTCOMES: readonly Outcome[] = ['succeeds', 'fails', 'isRejected', 'isLost', 'isForgotten', 'reboots']

export const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('pass' as const), seconds: fc.constantFrom(...SECONDS) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('down' as const), seconds: fc.constantFrom(...SECONDS, ...LONG) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('clock' as const), seconds: fc.constantFrom(-3600, 3600) }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('succeed' as const), pick: fc.nat(9), all: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('outcome' as const),
      pick: fc.nat(9),
      outcome: fc.constantFrom<Outcome[]>('fails', 'fails', 'fails', ...OUTCOMES),
      exitCode: fc.constantFrom(1, 1, 3, 4, 7),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('obey' as const) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('crash' as const), part: fc.integer({ min: 0, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leader' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('unmet' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('full' as const), is: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('away' as const), pick: fc.nat(2) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('back' as const), pick: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('label' as const), role: fc.constantFrom('batch', 'other'), pick: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('drain' as const), seconds: fc.constantFrom(null, 0, 60, 600), pick: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('manual' as const), pick: fc.nat(9), again: fc.boolean() }) },
)
export type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

/** Time passes as a leader that is up lives through it: it looks whenever it asked to. */
const MOST_WAKES = 10

export function pass(world: World, ms: number): void {
  const until = world.now + ms
  for (let wakes = 0; wakes < MOST_WAKES; wakes += 1) {
    const next = world.nextWake()
    if (next === null || next > until) break
    advance(world, Math.max(next, world.now + 1))
    world.turn()
  }
  // A schedule of seconds over hours: the leader was up, and something else kept it from looking.
  if (world.now < until) advance(world, until)
}

function advance(world: World, to: number): void {
  world.real += to - world.now
  world.now = to
  world.fleet.sweep(world.real)
  world.fleet.obey(world.now)
}

type Acts = { readonly [T in Event['type']]: (world: World, event: Extract<Event, { type: T }>, keys: readonly WorkloadKey[]) => void }

const ACTS: Acts = {
  pass: (world, { seconds }) => pass(world, seconds * 1000),
  down: (world, { seconds }) => down(world, seconds * 1000),
  clock: (world, { seconds }) => clock(world, seconds * 1000),
  succeed: (world, { pick, all }) => {
    const { running } = world.fleet
    for (const one of all ? running : running.slice(pick, pick + 1)) end(world, one, { outcome: 'succeeds', exitCode: 0 })
  },
  outcome: (world, { pick, outcome, exitCode }) => {
    const { running } = world.fleet
    const one = running[pick % Math.max(1, running.length)]
    if (one !== undefined) end(world, one, { outcome, exitCode })
  },
  obey: (world) => world.fleet.obey(world.now),
  crash: (world, { part }) => {
    world.cut = part / 10
  },
  leader: (world) => world.newLeader(),
  unmet: (world, { is }) => {
    world.unmet = is
  },
  full: (world, { is }) => {
    world.full = is
  },
  away: (world, { pick }) => world.fleet.set(machine(pick), 'Away', world.real),
  back: (world, { pick }) => world.fleet.set(machine(pick), 'Here', world.real),
  label: (world, { pick, role }) => world.agents([machine(pick)], { labels: { role } }),
  drain: (world, { pick, seconds }) => world.agents([machine(pick)], { maintenance: drained(world.now, seconds) }),
  manual: (world, event, keys) => manual(world, keys[event.pick % keys.length] as WorkloadKey, event),
}

const machine = (pick: number): AgentId => MACHINES[pick] as AgentId

const drained = (now: number, seconds: number | null) =>
  seconds === null ? null : { phase: 'Draining' as const, since: now, deadlineAt: now + seconds * 1000, actor: 'ann' }

/** What happens, and the turn of the leader that sees it. */
export function apply<T extends Event['type']>(world: World, event: Extract<Event, { type: T }>, keys: readonly WorkloadKey[]): void {
  const act = ACTS[event.type as T]
  act(world, event, keys)
  // A crash is that of the next turn, whatever that is about.
  if (event.type !== 'crash') world.turn()
}

function end(world: World, placed: World['fleet']['running'][number], how: { outcome: Outcome; exitCode: number }): void {
  world.fleet.end(placed, { ...how, rule: world.ruleOf(placed.task), now: world.now, real: world.real })
}

function down(world: World, ms: number): void {
  advance(world, world.now + ms)
  world.newLeader()
}

/** What is swept away in a minute is taken for gone after a minute on the clock: a clock that jumps meanwhile is no promise's matter. */
function clock(world: World, ms: number): void {
  world.fleet.sweep(Number.POSITIVE_INFINITY)
  world.now += ms
}

function manual(world: World, key: WorkloadKey, { pick, again }: { pick: number; again: boolean }): void {
  const ended = world.runs.filter(({ workload, finishedAt, buriedAt }) => workload === key && finishedAt !== null && buriedAt === null)
  const old = ended[pick % Math.max(1, ended.length)]
  if (again && old === undefined) return
  world.startRun(key, again ? (old?.id ?? null) : null)
}
