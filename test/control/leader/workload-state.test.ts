import { expect, it } from 'vitest'
import { Cluster } from '../../../src/control/leader/cluster.ts'
import { workloadState } from '../../../src/control/leader/workload-state.ts'
import type { AgentId, TaskId } from '../../../src/model/ids.ts'
import { workloadKey } from '../../../src/model/ids.ts'
import { times } from '../../core/batch/make.ts'
import { agentRecord, deploymentVersion, digest, jobVersion, KEY, NOW, run, task, workload } from '../../support/make.ts'

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
  const term = {
    cluster,
    unplaced: new Map(),
    healths: new Map(),
    ledSince: NOW,

    hub: { silentFor: () => 0, isAway: () => false },
  }
  const unmet = (key: typeof A) => workloadState(key, { term, now: NOW })?.unmet.map(({ reason }) => reason.message)
  expect(unmet(A)).toEqual(['waits for deployment/b to be Available; it is Progressing'])
  expect(unmet(B)).toEqual(['waits for deployment/a to be Available; it is Progressing'])
})

/** Layers of Jobs, each of which waits for all of the layer before it. */
function layersOf(depth: number, width: number): Cluster {
  const cluster = new Cluster()
  for (let layer = 0; layer < depth; layer += 1)
    for (let place = 0; place < width; place += 1) {
      const name = `job-${layer}-${place}`
      const dependsOn =
        layer === 0 ? [] : times(width, (other) => ({ kind: 'Job', name: `job-${layer - 1}-${other}`, condition: 'Complete' }))
      const digests = { inputsDigest: digest(name), templateDigest: digest(`template of ${name}`) }
      cluster.versions.set(digests.inputsDigest, jobVersion({ dependsOn }))
      const key = workloadKey('default', 'Job', name)
      cluster.apply({ table: 'workloads', id: key, value: workload({ key, ...digests }) })
    }
  return cluster
}

it.each([
  [30, 3],
  [5000, 1],
])('asks each of %d layers of %d Jobs once whether the last one waits in vain', (depth, width) => {
  const cluster = layersOf(depth, width)
  const term = { cluster, unplaced: new Map(), healths: new Map(), ledSince: NOW, hub: { silentFor: () => 0, isAway: () => false } }
  const standings = () =>
    workloadState(workloadKey('default', 'Job', `job-${depth - 1}-0`), { term, now: NOW })?.unmet.map(({ standing }) => standing)
  expect(standings()).toEqual(times(width, () => 'Moving'))
  const first = workloadKey('default', 'Job', 'job-0-0')
  const failed = { phase: 'Failed' as const, finishedAt: NOW, workload: first, templateDigest: digest('template of job-0-0') }
  cluster.apply({ table: 'runs', id: 'default-migrate-x', value: run(failed) })
  expect(standings()).toEqual(times(width, () => 'Failed'))
})

it.each([
  [['node-2'], ['node-1']],
  [
    ['node-1', 'node-2'],
    ['node-1', 'node-2'],
  ],
])('leaves machines that are away (%s) out of a Global workload, unless all are', (away, slots) => {
  const cluster = new Cluster()
  cluster.versions.set(digest('inputs'), deploymentVersion({ mode: 'Global' }))
  cluster.apply({ table: 'workloads', id: KEY, value: workload() })
  for (const id of ['node-1', 'node-2'] as AgentId[]) {
    cluster.apply({ table: 'agents', id, value: agentRecord({ id }) })
    cluster.apply({ table: 'tasks', id: `t-${id}`, value: task({ id: `t-${id}` as TaskId, slot: id, agent: id }) })
  }
  const hub = { silentFor: () => 0, isAway: (id: AgentId) => away.includes(id) }
  const state = workloadState(KEY, {
    term: { cluster, unplaced: new Map(), healths: new Map(), ledSince: NOW, hub },
    now: NOW,
  })
  expect(state?.slots).toEqual(slots)
  expect(state?.tasks.map((one) => one.task.slot)).toEqual(slots)
})
