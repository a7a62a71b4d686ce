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

const said = new Map<string, Omit<Said, 'revision'>>()

/** What git says of a Job or CronJob with this spec; the letter is its template. */
export function saidOf(kind: 'Job' | 'CronJob', name: string, spec: object, commit: number): Said {
  const text = JSON.stringify([kind, name, spec])
  const known = said.get(text) ?? rendered(kind, name, spec)
  said.set(text, known)
  return { ...known, revision: revision(`commit ${commit}`) }
}

function rendered(kind: 'Job' | 'CronJob', name: string, spec: object): Omit<Said, 'revision'> {
  const written = { apiVersion: 'drover.dev/v1', kind, metadata: { name }, spec }
  const manifest = normalize(kind === 'Job' ? Job.parse(written) : CronJob.parse(written)) as WorkloadManifest
  const version = versionOf(manifest, { configs: {}, trees: {} })
  return { version, inputsDigest: digestOf(version), templateDigest: templateDigestOf(version) }
}

/** What a run is, as far as the generator varies it. */
export interface RunDraft {
  readonly letter: 'A' | 'B' | 'C'
  readonly fields: object & { readonly exclusive?: boolean }
  readonly restartPolicy: 'OnFailure' | 'Never'
  /** After how many seconds a task on a silent machine counts as lost. */
  readonly patience: number | null
}

export const specOf = ({ letter, fields, restartPolicy, patience }: RunDraft): object => ({
  ...fields,
  template: {
    spec: {
      ...(patience === null || fields.exclusive === true ? {} : { unreachable: { replaceAfterSeconds: patience } }),
      driver: 'fake',
      restartPolicy,
      containers: [{ name: 'main', image: `a:${letter}` }],
      placement: { nodeSelector: { role: 'batch' } },
    },
  },
})

const perIndex = fc.record(
  {
    completionMode: fc.constant('Indexed'),
    backoffLimitPerIndex: fc.nat(2),
    maxFailedIndexes: fc.nat(2),
    taskFailurePolicy: fc.record({ rules: fc.subarray(RULES(), { minLength: 1 }) }),
  },
  { requiredKeys: ['completionMode'] },
)

function RULES() {
  return [
    { action: 'FailIndex', onExitCodes: { operator: 'In', values: [3] } },
    { action: 'Ignore', onReasons: ['HostReboot', 'PortInUse'] },
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [4] } },
    { action: 'Ignore', onExitCodes: { operator: 'NotIn', values: [1, 3, 4] } },
  ]
}

const shape = fc.oneof(
  { weight: 4, arbitrary: fc.record({ completions: fc.integer({ min: 1, max: 5 }), parallelism: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.constant({ mode: 'Global' }) },
)

const limits = fc.record(
  {
    backoffLimit: fc.nat(4),
    activeDeadlineSeconds: fc.constantFrom(30, 600, 90_000),
    ttlSecondsAfterFinished: fc.constantFrom(0, 100, 86_400),
    exclusive: fc.boolean(),
  },
  { requiredKeys: [] },
)

const patience = fc.constantFrom(null, null, 60, 300)

export const runDraft: fc.Arbitrary<RunDraft> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      letter: fc.constantFrom('A', 'B', 'C'),
      restartPolicy: fc.constantFrom('OnFailure', 'Never'),
      patience,
      fields: fc.tuple(shape, limits).map(([one, two]) => ({ ...one, ...two })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      letter: fc.constantFrom('A', 'B', 'C'),
      restartPolicy: fc.constant('Never' as const),
      patience,
      fields: fc.tuple(shape, limits, perIndex).map(([one, two, three]) => ({ ...one, ...two, ...three, mode: 'Replicated' })),
    }),
  },
)

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
    arbitrary: fc.record({ type: fc.constantFrom('away' as const, 'back' as const, 'back' as const), pick: fc.nat(2) }),
  },
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
  world.turn()
}

function advance(world: World, to: number): void {
  world.real += to - world.now
  world.now = to
  world.fleet.sweep(world.real)
  world.fleet.obey(world.now)
}

export function apply(world: World, given: Event, keys: readonly WorkloadKey[]): void {
  if (given.type === 'pass') pass(world, given.seconds * 1000)
  else if (given.type === 'down') down(world, given.seconds * 1000)
  else if (given.type === 'clock') clock(world, given.seconds * 1000)
  else happen(world, given, keys)
}

function happen(world: World, given: Event, keys: readonly WorkloadKey[]): void {
  const { running } = world.fleet
  if (given.type === 'succeed')
    for (const one of given.all ? running : running.slice(given.pick, given.pick + 1)) end(world, one, 'succeeds', 0)
  if (given.type === 'outcome') {
    const one = running[given.pick % Math.max(1, running.length)]
    if (one !== undefined) end(world, one, given.outcome, given.exitCode)
  }
  if (given.type === 'obey') world.fleet.obey(world.now)
  if (given.type === 'crash') world.cut = given.part / 10
  if (given.type === 'leader') world.newLeader()
  if (given.type === 'unmet') world.unmet = given.is
  if (given.type === 'full') world.full = given.is
  if (given.type === 'away' || given.type === 'back')
    world.fleet.set(MACHINES[given.pick] as AgentId, given.type === 'away' ? 'Away' : 'Here', world.real)
  if (given.type === 'label') world.agents([MACHINES[given.pick] as AgentId], { labels: { role: given.role } })
  if (given.type === 'drain') world.agents([MACHINES[given.pick] as AgentId], { maintenance: drain(world.now, given.seconds) })
  if (given.type === 'manual') manual(world, keys[given.pick % keys.length] as WorkloadKey, given)
  world.turn()
}

const drain = (now: number, seconds: number | null) =>
  seconds === null ? null : { phase: 'Draining' as const, since: now, deadlineAt: now + seconds * 1000, actor: 'ann' }

function end(world: World, placed: World['fleet']['running'][number], outcome: Outcome, exitCode: number): void {
  world.fleet.end(placed, outcome, { rule: world.ruleOf(placed.task), exitCode, now: world.now, real: world.real })
}

function down(world: World, ms: number): void {
  advance(world, world.now + ms)
  world.newLeader()
  world.turn()
}

/** What is swept away in a minute is taken for gone after a minute on the clock: a clock that jumps meanwhile is no promise's matter. */
function clock(world: World, ms: number): void {
  world.fleet.sweep(Number.POSITIVE_INFINITY)
  world.now += ms
  world.turn()
}

function manual(world: World, key: WorkloadKey, { pick, again }: { pick: number; again: boolean }): void {
  const ended = world.runs.filter(({ workload, finishedAt, buriedAt }) => workload === key && finishedAt !== null && buriedAt === null)
  const old = ended[pick % Math.max(1, ended.length)]
  if (again && old === undefined) return
  world.startRun(key, again ? (old?.id ?? null) : null)
}
