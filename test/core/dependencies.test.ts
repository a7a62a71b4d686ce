import { describe, expect, it } from 'vitest'
import { type DependencyState, dependencyKeys, failureOf, unmetDependencies } from '../../src/core/dependencies.ts'
import type { DependsOn } from '../../src/model/depends-on.ts'
import { type WorkloadKey, workloadKey } from '../../src/model/ids.ts'
import type { Health } from '../../src/model/views.ts'
import { deploymentState, digest, JOB_KEY, jobState, KEY, named, quarantine, run, waitsFor } from '../support/make.ts'

const key = workloadKey('back', 'Deployment', 'web')
const update = { key, intent: 'Update' as const }
const db: DependsOn = { kind: 'Deployment', name: 'db', condition: 'Available' }
const migrate: DependsOn = { kind: 'Job', name: 'migrate', condition: 'Complete' }
const because = { workload: workloadKey('back', 'Deployment', 'db'), inputsDigest: digest('bad') }

function dependency(health: Health, over: Partial<DependencyState> = {}): DependencyState {
  return { health: { health, desired: 1, ready: 0, reasons: [], wakeAt: null }, quarantine: undefined, failure: null, ...over }
}
const among = (known: Record<string, DependencyState>) => (target: WorkloadKey) => known[target] ?? null

it('targets live in the namespace of the workload that names them', () => {
  expect(dependencyKeys(key, [db, migrate])).toEqual(['back/Deployment/db', 'back/Job/migrate'])
})

describe('what is missing', () => {
  it('is nothing once every target is healthy', () => {
    const all = among({ 'back/Deployment/db': dependency('Healthy'), 'back/Job/migrate': dependency('Healthy') })
    expect(unmetDependencies(update, [db, migrate], all)).toEqual([])
  })

  it.each<[Health, string]>([
    ['Progressing', 'Moving'],
    ['Suspended', 'Moving'],
    ['Degraded', 'Stuck'],
    ['Unknown', 'Stuck'],
    ['Missing', 'Stuck'],
  ])('is a target that is %s, and that is %s', (health, standing) => {
    const message = `waits for deployment/db to be Available; it is ${health}`
    expect(unmetDependencies(update, [db], among({ 'back/Deployment/db': dependency(health) }))).toEqual([
      { reason: { code: 'DependencyNotReady', message, count: 1 }, standing, because: null },
    ])
  })

  it('is one reason for each target, in their order', () => {
    const all = among({ 'back/Job/migrate': dependency('Degraded'), 'default/Deployment/db': dependency('Healthy') })
    expect(unmetDependencies(update, [db, migrate], all).map(({ reason }) => reason.message)).toEqual([
      'waits for deployment/db to be Available; it is not there',
      'waits for job/migrate to be Complete; it is Degraded',
    ])
  })

  it('is one that is well but went back to what it was, for the revision means another', () => {
    const back = among({
      'back/Deployment/db': dependency('Healthy', { failure: because, quarantine: quarantine({ reason: 'CrashLoop: it fails' }) }),
    })
    expect(unmetDependencies(update, [db], back)).toMatchObject([
      {
        reason: { message: 'waits for deployment/db to be Available; it was taken back: CrashLoop: it fails' },
        standing: 'Failed',
        because,
      },
    ])
    expect(unmetDependencies({ key, intent: 'Restore' }, [db], back), 'a return only wants it well').toEqual([])
  })
})

describe('what a workload fails its dependents for', () => {
  it.each([
    ['nothing, while all may come well', deploymentState(), undefined, null],
    ['nothing that a person rolled back', deploymentState(), quarantine(), null],
    [
      'its own inputs, when they were taken back',
      deploymentState(),
      quarantine({ revisionId: 3 }),
      { workload: KEY, inputsDigest: digest('bad') },
    ],
    [
      'what took it along',
      deploymentState(),
      quarantine({ revisionId: 3, because: { workload: named('db'), inputsDigest: digest('db') } }),
      { workload: named('db'), inputsDigest: digest('db') },
    ],
    ['nothing that was only removed and came back', deploymentState(), quarantine({ revisionId: 3, bad: null }), null],
    [
      'a run that failed',
      jobState({}, { run: run({ phase: 'Failed' }) }),
      undefined,
      { workload: JOB_KEY, inputsDigest: digest('inputs') },
    ],
    ['what it waits for in vain itself', jobState({}, { unmet: [waitsFor({ standing: 'Failed', because })] }), undefined, because],
  ])('%s', (_name, state, held, expected) => {
    expect(failureOf(state, held)).toEqual(expected)
  })
})
