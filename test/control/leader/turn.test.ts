import { beforeEach, describe, expect, it } from 'vitest'
import { Hub } from '../../../src/control/agents/hub.ts'
import { Cluster } from '../../../src/control/leader/cluster.ts'
import { Draft } from '../../../src/control/leader/draft.ts'
import type { Term } from '../../../src/control/leader/term.ts'
import { settle } from '../../../src/control/leader/turn.ts'
import { Wakes } from '../../../src/control/leader/wakes.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { Epoch, TaskId, type WorkloadKey } from '../../../src/model/ids.ts'
import { SyncPolicy } from '../../../src/model/manifest.ts'
import type { WorkloadRecord } from '../../../src/model/records.ts'
import { ClusterIdentity } from '../../../src/model/records.ts'
import type { Failure, Rollout } from '../../../src/model/rollout.ts'
import type { WorkloadVersion } from '../../../src/model/version.ts'
import { rollout } from '../../core/rollout/make.ts'
import {
  agentRecord,
  app,
  deploymentVersion,
  digest,
  KEY,
  NOW,
  named,
  observed,
  revision,
  revisionRecord,
  task,
  workload,
} from '../../support/make.ts'

/** Longer than any deadline. */
const LONG = 10_000_000
const DEADLINE = NOW + 60_000
const FAILURE: Failure = { code: 'CrashLoop', message: 'it fails', because: null, evidence: [] }
const target = (word: string) => ({ inputsDigest: digest(word), templateDigest: digest(word), revision: revision('first') })

let cluster: Cluster
beforeEach(() => {
  cluster = new Cluster()
  cluster.apply({ table: 'agents', id: 'node-1', value: agentRecord() })
  cluster.apply({ table: 'apps', id: 'shop', value: app({ policy: SyncPolicy.parse({ atomic: true }) }) })
})

/** A workload of these inputs, named by a word; each template is its own. */
function put(key: WorkloadKey, word: string, over: { version?: WorkloadVersion; record?: Partial<WorkloadRecord> } = {}): void {
  cluster.versions.set(digest(word), over.version ?? deploymentVersion())
  cluster.apply({ table: 'workloads', id: key, value: workload({ key, ...target(word), ...over.record }) })
}

function runs(key: WorkloadKey, word: string, count: number): void {
  for (let slot = 0; slot < count; slot += 1) {
    const id = `${key.split('/')[2]}-${slot}` as TaskId
    cluster.apply({ table: 'tasks', id, value: task({ id, workload: key, slot: String(slot), ...target(word) }) })
    cluster.apply({ table: 'observed', id, value: observed({ task: id, readySince: NOW - 10_000 }) })
  }
}

function rolled(key: WorkloadKey, word: string, state: Rollout['state']): void {
  const value = rollout({ id: `${key}/1`, workload: key, from: null, to: target(word), state })
  cluster.apply({ table: 'rollouts', id: value.id, value })
}

const line = (id: number, over: Parameters<typeof revisionRecord>[0]): void =>
  cluster.apply({ table: 'revisions', id: `shop/${String(id).padStart(8, '0')}`, value: revisionRecord({ id, ...over }) })

/** One turn in which all workloads are looked at, and these apps although nothing happened to them. */
function turn(apps: readonly string[] = ['shop']): void {
  let ids = 0
  const term: Term = {
    epoch: Epoch.parse(1),
    identity: ClusterIdentity.parse({ id: 'own', createdAt: NOW }),
    readOnly: null,
    cluster,
    hub: new Hub(
      systemClock,
      () => undefined,
      () => true,
    ),
    wakes: new Wakes(),
    appWakes: new Wakes(),
    now: () => NOW,
    ledSince: NOW - LONG,

    newId: () => `new-${++ids}`,
    unplaced: new Map(),
    tags: new Map(),
    healths: new Map(),
    turns: 1,
    read: new Set(),
    listeners: new Set(),
  }
  settle({ term, draft: new Draft(cluster), now: NOW }, { workloads: [...cluster.workloads.keys()], apps })
}

const wantedTasks = (key: WorkloadKey) =>
  cluster
    .tasksOfWorkload(key)
    .filter((state) => state.task.desired === 'run')
    .map((state) => state.task.id)
const outcomes = () => cluster.revisionsOfApp('shop').map(({ outcome }) => outcome)

describe('an atomic revision that has failed by the time it comes', () => {
  beforeEach(() => {
    line(1, { outcome: 'Healthy' })
    cluster.versions.set(digest('good'), deploymentVersion({ replicas: 3 }))
    runs(KEY, 'good', 3)
    put(KEY, 'fewer', { version: deploymentVersion({ replicas: 1 }), record: { generation: 2, good: target('good') } })
  })

  it('goes back before it stops anything: a part of it had failed before', () => {
    put(named('sick'), 'sick')
    rolled(named('sick'), 'sick', { phase: 'Failed', failure: FAILURE })
    line(2, { deadlineAt: DEADLINE })
    turn()
    expect(outcomes()).toEqual(['Healthy', 'RolledBack', 'Healthy'])
    expect(cluster.workloads.get(KEY)).toMatchObject({ inputsDigest: digest('good'), intent: 'Restore' })
    expect(wantedTasks(KEY)).toEqual(['web-0', 'web-1', 'web-2'])
  })

  it('goes back before it stops anything: a part of it fails now', () => {
    const overdue = { phase: 'Rolling', step: null, best: 0, progressAt: NOW - LONG } as const
    put(named('sick'), 'sick')
    rolled(named('sick'), 'sick', overdue)
    line(2, { deadlineAt: DEADLINE })
    turn()
    expect(outcomes()[1]).toBe('RolledBack')
    expect(wantedTasks(KEY)).toEqual(['web-0', 'web-1', 'web-2'])
  })

  it('goes back before it starts anything: a part of it fails now, and nothing woke the app', () => {
    const { templateDigest } = target('good')
    put(KEY, 'bad', { version: deploymentVersion({ replicas: 3 }), record: { generation: 2, good: target('good'), templateDigest } })
    cluster.apply({ table: 'observed', id: TaskId.parse('web-2'), value: observed({ task: TaskId.parse('web-2'), phase: 'Lost' }) })
    put(named('sick'), 'sick')
    rolled(named('sick'), 'sick', { phase: 'Rolling', step: null, best: 0, progressAt: NOW - LONG })
    line(2, { deadlineAt: DEADLINE })
    turn([])
    expect(outcomes()[1]).toBe('RolledBack')
    const inputs = cluster.tasksOfWorkload(KEY).map(({ task: { inputsDigest } }) => inputsDigest)
    expect(inputs, 'web-2 is made good').toHaveLength(4)
    expect(new Set(inputs)).toEqual(new Set([digest('good')]))
  })

  it('acts when nothing of it failed', () => {
    line(2, { deadlineAt: DEADLINE })
    turn()
    expect(outcomes()[0]).toBe('Progressing')
    expect(cluster.workloads.get(KEY)?.intent).toBe('Update')
    expect(wantedTasks(KEY).length).toBeLessThan(3)
  })
})

it('a removal that waited for an atomic revision goes on once that is over', () => {
  line(1, { outcome: 'Healthy' })
  put(named('sick'), 'sick', { record: { good: target('sick') } })
  rolled(named('sick'), 'sick', { phase: 'Complete' })
  put(named('late'), 'late', { record: { revision: revision('second') } })
  rolled(named('late'), 'late', { phase: 'Failed', failure: FAILURE })
  line(2, { deadlineAt: DEADLINE, revision: revision('second') })
  turn()
  expect(outcomes()[1]).toBe('RolledBack')
  expect(cluster.workloads.get(named('late')), 'sick stays Progressing, so no health wakes it').toBeUndefined()
})
