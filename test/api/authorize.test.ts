import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ACCESS } from '../../src/api/access-table.ts'
import { authorize, type Touched } from '../../src/api/authorize.ts'
import { ROLES, type Role } from '../../src/model/trust.ts'

/** Written out by hand: what each role may do, by the names that people know the verbs by. */
const READS = ['status', 'get', 'logs', 'plan']
const DEPLOYS = ['sync', 'rollback', 'promote', 'abort', 'run']
const MACHINES = ['cordon', 'uncordon', 'drain']
const TRUST = ['token', 'ca']
const MAY: Readonly<Record<Role, readonly string[]>> = {
  viewer: READS,
  deployer: [...READS, ...DEPLOYS],
  operator: [...READS, ...DEPLOYS, ...MACHINES],
  admin: [...READS, ...DEPLOYS, ...MACHINES, ...TRUST],
}
const ROUTE: Readonly<Record<string, string>> = {
  status: 'GET /api/v1/apps',
  get: 'GET /api/v1/tasks',
  logs: 'GET /api/v1/tasks/:id/logs',
  plan: 'POST /api/v1/apps/:name/plan',
  sync: 'POST /api/v1/apps/:name/sync',
  rollback: 'POST /api/v1/apps/:name/rollback',
  promote: 'POST /api/v1/workloads/:namespace/:kind/:name/promote',
  abort: 'POST /api/v1/workloads/:namespace/:kind/:name/abort',
  run: 'POST /api/v1/workloads/:namespace/:kind/:name/run',
  cordon: 'POST /api/v1/agents/:id/cordon',
  uncordon: 'POST /api/v1/agents/:id/uncordon',
  drain: 'POST /api/v1/agents/:id/drain',
  token: 'POST /api/v1/tokens',
  ca: 'POST /api/v1/authorities/rotate',
}

const needsOf = (verb: string): Role => {
  const rule = ACCESS.find(({ method, path }) => `${method} ${path}` === ROUTE[verb])
  if (rule === undefined || rule.needs === 'Nothing' || rule.needs === 'Certificate') throw new Error(`${verb} needs a role`)
  return rule.needs
}

const namespace = fc.constantFrom('a', 'b', 'c')
const touched: fc.Arbitrary<Touched> = fc.oneof(fc.constantFrom<Touched>('Nothing', 'Cluster'), fc.uniqueArray(namespace, { maxLength: 3 }))

it('a caller may do what its role may, where its namespaces reach, and nothing else', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ROLES),
      fc.constantFrom(...Object.keys(ROUTE)),
      fc.option(fc.uniqueArray(namespace, { minLength: 1, maxLength: 2 })),
      touched,
      (role, verb, namespaces, reached) => {
        const caller = { token: 't', name: 'ci', role, namespaces }
        const reaches =
          namespaces === null ||
          reached === 'Nothing' ||
          (Array.isArray(reached) && reached.length > 0 && reached.every((one) => namespaces.includes(one)))
        const act = () => authorize(caller, needsOf(verb), reached)
        if (MAY[role].includes(verb) && reaches) expect(act).not.toThrow()
        else expect(act).toThrow(/token "ci"/)
      },
    ),
    { numRuns: 2_000 },
  )
})
