import { describe, expect, it } from 'vitest'
import { dependencyKeys, unmetDependencies } from '../../src/core/dependencies.ts'
import type { WorkloadHealth } from '../../src/core/health.ts'
import { type WorkloadKey, workloadKey } from '../../src/model/ids.ts'
import type { DependsOn } from '../../src/model/manifest.ts'
import type { Health } from '../../src/model/views.ts'

const key = workloadKey('back', 'Deployment', 'web')
const db: DependsOn = { kind: 'Deployment', name: 'db', condition: 'Available' }
const migrate: DependsOn = { kind: 'Job', name: 'migrate', condition: 'Complete' }
const healthOf = (known: Record<string, Health>) => (target: WorkloadKey) =>
  known[target] === undefined ? null : ({ health: known[target], desired: 1, ready: 0, reasons: [], wakeAt: null } satisfies WorkloadHealth)

it('targets live in the namespace of the workload that names them', () => {
  expect(dependencyKeys(key, [db, migrate])).toEqual(['back/Deployment/db', 'back/Job/migrate'])
})

describe('what is missing', () => {
  it('is nothing once every target is healthy', () => {
    expect(unmetDependencies(key, [db, migrate], healthOf({ 'back/Deployment/db': 'Healthy', 'back/Job/migrate': 'Healthy' }))).toEqual([])
  })

  it.each<[Health]>([['Progressing'], ['Degraded'], ['Unknown'], ['Suspended'], ['Missing']])('is a target that is %s', (health) => {
    expect(unmetDependencies(key, [db], healthOf({ 'back/Deployment/db': health }))).toMatchObject([
      { code: 'DependencyNotReady', message: `waits for deployment/db to be Available; it is ${health}` },
    ])
  })

  it('is one reason for each target, in their order', () => {
    const unmet = unmetDependencies(key, [db, migrate], healthOf({ 'back/Job/migrate': 'Degraded', 'default/Deployment/db': 'Healthy' }))
    expect(unmet.map(({ message }) => message)).toEqual([
      'waits for deployment/db to be Available; it is not there',
      'waits for job/migrate to be Complete; it is Degraded',
    ])
  })
})
