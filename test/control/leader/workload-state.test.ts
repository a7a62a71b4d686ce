import { expect, it } from 'vitest'
import { Cluster } from '../../../src/control/leader/cluster.ts'
import { workloadState } from '../../../src/control/leader/workload-state.ts'
import { workloadKey } from '../../../src/model/ids.ts'
import { deploymentVersion, digest, NOW, workload } from '../../support/make.ts'

const A = workloadKey('default', 'Deployment', 'a')
const B = workloadKey('default', 'Deployment', 'b')

function waitsFor(name: string) {
  return deploymentVersion({ dependsOn: [{ kind: 'Deployment', name, condition: 'Available' }] })
}

it('reads workloads that wait for each other, as a quarantine can leave them', () => {
  const cluster = new Cluster()
  cluster.versions.set(digest('a'), waitsFor('b'))
  cluster.versions.set(digest('b'), waitsFor('a'))
  cluster.apply({ table: 'workloads', id: A, value: workload({ key: A, inputsDigest: digest('a') }) })
  cluster.apply({ table: 'workloads', id: B, value: workload({ key: B, inputsDigest: digest('b') }) })
  const term = { cluster, unplaced: new Map(), healths: new Map(), ledSince: NOW }
  const unmet = (key: typeof A) => workloadState(key, { term, now: NOW })?.unmet.map(({ reason }) => reason.message)
  expect(unmet(A)).toEqual(['waits for deployment/b to be Available; it is Progressing'])
  expect(unmet(B)).toEqual(['waits for deployment/a to be Available; it is Progressing'])
})
