import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { nightly } from '../support/fake-nightly.ts'
import { rolling } from '../support/fake-rollouts.ts'
import { shop } from '../support/fake-shop.ts'

/** The contract for scripts, written out again by hand from the design: a change of a view must fail here. */

const reason = z.strictObject({ code: z.string(), message: z.string(), count: z.number() }).loose()
const items = <T extends z.ZodType>(item: T) => z.strictObject({ items: z.array(item).min(1) })
const iso = z.iso.datetime()
const health = z.enum(['Healthy', 'Progressing', 'Degraded', 'Suspended', 'Missing', 'Unknown'])

const workload = z.looseObject({
  namespace: z.string(),
  kind: z.string(),
  name: z.string(),
  health,
  desired: z.number(),
  ready: z.number(),
  inputsDigest: z.string(),
  quarantine: z.looseObject({}).nullable(),
})

const status = items(
  z.looseObject({
    name: z.string(),
    sync: z.enum(['Synced', 'OutOfSync', 'Unknown']),
    health,
    lastAttemptedRevision: z.string().nullable(),
    lastAppliedRevision: z.string().nullable(),
    workloads: z.array(workload).min(1),
    problems: z.array(z.looseObject({ file: z.string(), line: z.number(), column: z.number(), message: z.string() })),
  }),
)

const PHASES = 'Pending Assigned Preparing Starting Running Stopping Succeeded Failed Stopped Unknown Lost Rejected'.split(' ')

const tasks = items(
  z.looseObject({
    id: z.string(),
    namespace: z.string(),
    kind: z.string(),
    workload: z.string(),
    slot: z.string(),
    agent: z.string().nullable(),
    phase: z.enum(PHASES),
    attempt: z.number(),
    ready: z.boolean(),
    exitCode: z.number().nullable(),
    reasons: z.array(reason),
    inputsDigest: z.string(),
    createdAt: iso,
  }),
)

const runs = items(
  z.looseObject({
    id: z.string(),
    namespace: z.string(),
    job: z.string(),
    cronJob: z.string().nullable(),
    slot: z.string().nullable(),
    trigger: z.string(),
    phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Suspended']),
    exitCode: z.number().nullable(),
    reason: z.string().nullable(),
    startedAt: iso.nullable(),
    finishedAt: iso.nullable(),
    inputsDigest: z.string(),
    revision: z.string(),
    attempts: z.array(
      z.looseObject({
        task: z.string(),
        attempt: z.number(),
        index: z.number(),
        exitCode: z.number().nullable(),
        signal: z.string().nullable(),
        reason: z.string(),
        startedAt: iso.nullable(),
        finishedAt: iso,
        peakMemoryBytes: z.number().nullable(),
      }),
    ),
    lastLines: z.array(z.string()),
  }),
)

const history = items(
  z.looseObject({
    id: z.number(),
    revision: z.string(),
    subject: z.string(),
    outcome: z.string(),
    startedAt: iso,
    finishedAt: iso.nullable(),
  }),
)

const evidence = z.looseObject({
  task: z.string(),
  attempt: z.number(),
  code: z.string(),
  message: z.string(),
  exitCode: z.number().nullable(),
  lastLines: z.array(z.string()),
})

const rollout = z.looseObject({
  id: z.string(),
  app: z.string(),
  namespace: z.string(),
  kind: z.string(),
  workload: z.string(),
  number: z.number(),
  phase: z.enum(['Waiting', 'Rolling', 'Paused', 'Complete', 'Failed', 'RolledBack', 'Superseded']),
  intent: z.enum(['Update', 'Restore']),
  cause: z.string(),
  revision: z.string(),
  step: z.looseObject({ number: z.number(), of: z.number(), replicas: z.number() }).nullable(),
  desired: z.number().nullable(),
  updated: z.number().nullable(),
  available: z.number().nullable(),
  deadline: iso.nullable(),
  until: iso.nullable(),
  failure: z.looseObject({ code: z.string(), message: z.string(), because: z.string().nullable(), evidence: z.array(evidence) }).nullable(),
  startedAt: iso,
  finishedAt: iso.nullable(),
})

const result = z.looseObject({ workload: z.string(), result: z.string(), rollout: z.string().nullable(), run: z.string().nullable() })

const rollouts: [string, z.ZodType][] = [
  ['get rollouts -o json', items(rollout)],
  ['get rollout/default/Deployment/web/3 -o json', rollout],
  ['history deployment/web -o json', items(rollout)],
  ['describe rollout/default/Deployment/api/7 -o json', rollout],
  ['get deployment/web -o json', z.looseObject({ rollout })],
  [
    'describe deployment/api -o json',
    z.looseObject({ quarantine: z.looseObject({ because: z.null(), evidence: z.array(evidence).min(1) }) }),
  ],
  ['describe revision/shop/2 -o json', z.looseObject({ id: z.literal(2), reason: z.string(), results: z.array(result).min(1) })],
]

const schedule = z.looseObject({
  schedule: z.string().nullable(),
  timeZone: z.string().nullable(),
  after: z.array(z.string()),
  suspend: z.boolean(),
  concurrencyPolicy: z.enum(['Allow', 'Forbid', 'Replace']),
  nextRun: iso.nullable(),
  lastRun: z.string().nullable(),
  lastPhase: z.string().nullable(),
  active: z.array(z.string()),
  missed: z.number(),
  lastMissed: iso.nullable(),
})

const graph = z.looseObject({
  id: z.string(),
  namespace: z.string(),
  trigger: z.string().nullable(),
  slot: iso.nullable(),
  phase: z.enum(['Running', 'Succeeded', 'Failed']),
  nodes: z
    .array(
      z.looseObject({
        cronJob: z.string(),
        phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Suspended', 'Waiting', 'Blocked', 'Skipped']),
        run: z.string().nullable(),
        parents: z.array(z.string()),
        about: z.string(),
      }),
    )
    .min(1),
})

const batch: [string, z.ZodType][] = [
  ['get cronjobs -o json', items(workload.extend({ schedule }))],
  ['get cronjob/export -o json', z.looseObject({ schedule })],
  ['get runs --graph -o json', items(graph)],
  [
    'run cronjob/backup -o json',
    z.looseObject({
      id: z.literal('default.backup-manual-4'),
      trigger: z.literal('Manual'),
      actor: z.literal('cli:ann'),
      graph: z.string(),
      number: z.number(),
      completions: z.number(),
    }),
  ],
]

const lists: [string, z.ZodType][] = [
  ['status -o json', status],
  ['status shop -o json', status],
  ['get apps -o json', status],
  ['get workloads -o json', items(workload)],
  ['get tasks -o json', tasks],
  ['get runs -o json', runs],
  ['get agents -o json', items(z.looseObject({ id: z.string(), status: z.string() }))],
  ['history shop -o json', history],
  ['get task/web-0-abc12 -o json', z.looseObject({ id: z.literal('web-0-abc12') })],
  ['get run report-7 -o json', z.looseObject({ id: z.literal('report-7'), exitCode: z.literal(137) })],
]

describe('JSON for scripts', () => {
  it.each(lists)('%s', async (command, schema) => {
    const { exit, stdout, stderr } = await cliOver(fakeControl(shop())).run(...command.split(' '))
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    const value: unknown = JSON.parse(stdout)
    expect(schema.safeParse(value).error).toBeUndefined()
  })

  it.each(rollouts)('%s', async (command, schema) => {
    const { exit, stdout, stderr } = await cliOver(fakeControl(rolling())).run(...command.split(' '))
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    const value: unknown = JSON.parse(stdout)
    expect(schema.safeParse(value).error).toBeUndefined()
  })

  it.each(batch)('%s', async (command, schema) => {
    const { exit, stdout, stderr } = await cliOver(fakeControl(nightly())).run(...command.split(' '))
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' })
    const value: unknown = JSON.parse(stdout)
    expect(schema.safeParse(value).error).toBeUndefined()
  })

  it('gives an empty list as one', async () => {
    expect(JSON.parse((await cliOver().run('get', 'tasks', '-o', 'json')).stdout)).toEqual({ items: [] })
  })

  it('passes on fields that it does not know, of a newer server', async () => {
    const control = fakeControl(shop())
    const newer = { ...control.tasks()[0], mood: 'fine' }
    control.tasks = () => [newer as never]
    expect((await cliOver(control).run('get', 'tasks', '-o', 'json')).stdout).toContain('"mood": "fine"')
  })
})

describe('names of kinds', () => {
  const same: [string, string[]][] = [
    ['apps', ['app']],
    ['deployments', ['deployment', 'deploy', 'Deployments']],
    ['jobs', ['job']],
    ['cronjobs', ['cronjob', 'cj', 'CronJobs']],
    ['tasks', ['task', 'TASKS']],
    ['runs', ['run']],
    ['agents', ['agent', 'node', 'nodes']],
    ['workloads', ['workload', 'wl']],
    ['events', ['event', 'ev']],
    ['rollouts', ['rollout', 'ro']],
  ]
  it.each(same)('%s', async (kind, others) => {
    const apps = [...(shop().apps ?? []), ...(nightly().apps ?? [])]
    const cli = cliOver(fakeControl({ ...shop(), apps, rollouts: rolling().rollouts ?? [] }))
    const expected = (await cli.run('get', kind, '-o', 'name')).stdout
    expect(expected).not.toBe('')
    for (const other of others) expect((await cli.run('get', other, '-o', 'name')).stdout).toBe(expected)
  })
})

describe('exit codes', () => {
  const codes: [string, number][] = [
    ['status', 0],
    ['status stock --exit-code', 3],
    ['get pods', 2],
    ['get task/none', 5],
    ['status none', 5],
    ['nonsense', 2],
    ['up', 2],
    ['wait run/report-7', 3],
    ['wait run/migrate-1', 0],
    ['wait shop --revision 9999 --timeout 20ms', 4],
    ['rollback shop --to 77', 5],
    ['run deployment/web', 2],
    ['run cronjob/none', 5],
    ['run job/migrate', 5],
    ['get runs --graph report-7', 2],
    ['plan', 0],
    ['plan --detailed-exitcode', 2],
    ['diff', 1],
    ['validate --path no/such/folder', 2],
  ]
  it.each(codes)('drover %s exits with %i', async (command, code) => {
    expect((await cliOver(fakeControl(shop())).run(...command.split(' '))).exit).toBe(code)
  })

  it('tell of errors apart from changes', async () => {
    const broken = () => cliOver(fakeControl({ ...shop(), plan: null }))
    expect((await broken().run('plan')).exit).toBe(1)
    expect((await broken().run('diff')).exit).toBe(2)
    expect((await broken().run('plan', '--detailed-exitcode')).exit).toBe(1)
    const same = cliOver(fakeControl({ ...shop(), plan: { ...planOf(), changes: [], text: 'No changes.\n' } }))
    expect((await same.run('plan', '--detailed-exitcode')).exit).toBe(0)
    expect((await same.run('diff')).exit).toBe(0)
  })
})

const planOf = () => {
  const { plan } = shop()
  if (plan === null || plan === undefined) throw new Error('the shop has a plan')
  return plan
}
