import { describe, expect, it } from 'vitest'
import { type Member, planReturns, provedAtDeadline } from '../../src/core/returns.ts'
import type { WorkloadKey } from '../../src/model/ids.ts'
import { SyncPolicy } from '../../src/model/manifest.ts'
import type { WorkloadRecord } from '../../src/model/records.ts'
import type { Failure, RolloutState } from '../../src/model/rollout.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'
import { deploymentVersion, digest, jobVersion, NOW, named, revision, revisionRecord, run, workload } from '../support/make.ts'
import { rollout } from './rollout/make.ts'

const good = { inputsDigest: digest('good'), templateDigest: digest('good'), revision: revision('good') }
const failure: Failure = { code: 'CrashLoop', message: 'it fails', because: null, evidence: [] }
const FAILED: RolloutState = { phase: 'Failed', failure }
const STUCK: RolloutState = { phase: 'Failed', failure: { ...failure, code: 'DependencyFailed' } }
const PROVING: RolloutState = { phase: 'Proving', until: NOW }

interface Said {
  readonly state?: RolloutState
  readonly record?: Partial<WorkloadRecord>
  readonly spec?: object
  readonly health?: Member['health']
}

function deployment(name: string, { state = { phase: 'Complete' }, record = {}, spec = {}, health = 'Healthy' }: Said = {}): Member {
  const made = workload({ key: named(name), revision: revision('bad'), inputsDigest: digest(`bad ${name}`), good, ...record })
  return { record: made, version: deploymentVersion(spec), health, rollout: rollout({ workload: made.key, state }), run: null }
}

function jobMember(phase: 'Failed' | 'Succeeded', record: Partial<WorkloadRecord> = {}): Member {
  const made = workload({
    key: 'default/Job/check' as WorkloadKey,
    revision: revision('bad'),
    inputsDigest: digest('bad check'),
    ...record,
  })
  const version: WorkloadVersion = jobVersion()
  return { record: made, version, health: 'Healthy', rollout: null, run: run({ phase, reason: 'BackoffLimitExceeded', exitCode: 3 }) }
}

function returns(
  members: readonly Member[],
  over: { deadlineAt?: number | null; policy?: object; now?: number; outcome?: 'Progressing' | 'RolledBack' } = {},
) {
  const { deadlineAt = null, policy = {}, now = NOW, outcome = 'Progressing' } = over
  const newest = revisionRecord({ revision: revision('bad'), deadlineAt, outcome })
  const plan = planReturns({ policy: SyncPolicy.parse({ atomic: deadlineAt !== null, ...policy }), revision: newest, members, now })
  return plan.map(({ record, to, bad, failure: why }) => ({
    name: record.key.split('/')[2],
    to: to?.inputsDigest ?? null,
    bad,
    code: why.code,
  }))
}

const LATER = NOW + 60_000
const back = (name: string, code: string, to: string | null = 'good') => ({
  name,
  to: to === null ? null : digest(to),
  bad: digest(`bad ${name}`),
  code,
})

describe('each for itself', () => {
  it.each<[string, Member, unknown[]]>([
    ['one that is well stays', deployment('web'), []],
    ['one that failed goes back', deployment('web', { state: FAILED }), [back('web', 'CrashLoop')]],
    ['one that was never good has nowhere to go', deployment('web', { state: FAILED, record: { good: null } }), []],
    [
      'one that failed at what is its good version has nowhere to go, and must not lock that out',
      deployment('web', { state: FAILED, record: { inputsDigest: good.inputsDigest } }),
      [],
    ],
    ['one that was brought back already stays there', deployment('web', { state: FAILED, record: { intent: 'Restore' } }), []],
    ['one that only waits for another that is unwell stays', deployment('web', { state: STUCK }), []],
    ['Hold keeps it', deployment('web', { state: FAILED, spec: { onFailure: 'Hold' } }), []],
    ['Continue lets it try', deployment('web', { state: FAILED, spec: { onFailure: 'Continue' } }), []],
    [
      'a person ends it whatever the policy',
      deployment('web', { state: { phase: 'Failed', failure: { ...failure, code: 'Aborted' } }, spec: { onFailure: 'Hold' } }),
      [back('web', 'Aborted')],
    ],
    ['a Job that failed cannot be undone', jobMember('Failed'), []],
  ])('%s', (_name, member, expected) => {
    expect(returns([deployment('other'), member])).toEqual(expected)
  })
})

describe('as a whole', () => {
  const three = [deployment('a'), deployment('b', { state: FAILED }), deployment('c', { record: { good: null } })]

  it('takes all back, what was new to nothing, and what failed last', () => {
    expect(returns(three, { deadlineAt: LATER })).toEqual([
      back('a', 'RevisionFailed'),
      back('c', 'RevisionFailed', null),
      back('b', 'CrashLoop'),
    ])
  })

  it('restores what it was about to remove, as it was when all was good', () => {
    const leaving = deployment('old', { record: { wanted: false, revision: revision('first') } })
    const neverGood = deployment('new', { record: { wanted: false, good: null } })
    const plan = returns([leaving, neverGood, ...three], { deadlineAt: LATER })
    expect(plan.map(({ name }) => name)).not.toContain('new')
    expect(plan[0]).toEqual({ name: 'old', to: digest('good'), bad: null, code: 'RevisionFailed' })
  })

  it('takes along what an overtaken revision brought, and leaves what is good as it is', () => {
    const before = deployment('x', { record: { revision: revision('first') } })
    const same = deployment('y', { record: { inputsDigest: good.inputsDigest } })
    expect(returns([before, same, ...three], { deadlineAt: LATER }).map(({ name }) => name)).toEqual(['x', 'a', 'c', 'b'])
  })

  it.each<[string, Member[], object, string[]]>([
    ['a Job that failed', [deployment('a'), jobMember('Failed')], {}, ['a', 'check']],
    ['nothing yet', [deployment('a', { health: 'Progressing' })], {}, []],
    ['its deadline', [deployment('a', { health: 'Progressing' }), deployment('b')], { now: LATER }, ['b', 'a']],
    ['its deadline, although well, for it is still rolling out', [deployment('a', { state: PROVING })], { now: LATER }, ['a']],
    ['nothing before its deadline, when one only waits for another', [deployment('a', { state: STUCK, health: 'Degraded' })], {}, []],
    ['no deadline, once all are well', [deployment('a'), deployment('b')], { now: LATER }, []],
    ['nothing, where the policy holds', three, { policy: { onFailure: 'Hold' } }, []],
    ['nothing, where nothing ever was good', [deployment('a', { state: FAILED, record: { good: null } })], {}, []],
    ['nothing again, once it went back', [deployment('a', { record: { intent: 'Restore' }, state: FAILED })], {}, []],
    ['no failure of what leaves', [deployment('a'), jobMember('Failed', { wanted: false })], {}, []],
  ])('for %s', (_name, members, over, names) => {
    expect(returns(members, { deadlineAt: LATER, ...over }).map(({ name }) => name)).toEqual(names)
  })

  it('blames the one that failed by itself, not one that failed because of it', () => {
    const because = { workload: named('b'), inputsDigest: digest('bad b') }
    const dependent = deployment('a', {
      state: { phase: 'Failed', failure: { code: 'DependencyFailed', message: 'b failed', because, evidence: [] } },
    })
    expect(returns([dependent, deployment('b', { state: FAILED })], { deadlineAt: LATER }).map(({ name }) => name)).toEqual(['a', 'b'])
  })
})

describe('at its deadline an atomic revision has proved', () => {
  const untouched = deployment('x', { record: { inputsDigest: good.inputsDigest }, health: 'Degraded' })
  const leaving = deployment('old', { record: { wanted: false }, health: 'Progressing' })

  function proved(members: readonly Member[], over: { now?: number; finishedAt?: number; deadlineAt?: number | null } = {}) {
    const { now = LATER, finishedAt = null, deadlineAt = LATER } = over
    const newest = revisionRecord({ outcome: 'Degraded', deadlineAt, finishedAt })
    const records = provedAtDeadline({ policy: SyncPolicy.parse({ atomic: true }), revision: newest, members, now })
    return records?.map(({ key }) => key.split('/')[2]) ?? null
  }

  it.each<[string, Member[], object, string[] | null]>([
    ['what it brought, whatever else is unwell', [deployment('a'), untouched, leaving], {}, ['a']],
    ['nothing before it', [deployment('a'), untouched], { now: LATER - 1 }, null],
    ['nothing that is unwell', [deployment('a', { health: 'Degraded' }), untouched], {}, null],
    ['nothing that failed and is well for a moment', [deployment('a', { state: FAILED }), untouched], {}, null],
    ['nothing twice', [deployment('a')], { finishedAt: NOW }, null],
    ['nothing where it is not atomic', [deployment('a')], { deadlineAt: null }, null],
  ])('%s', (_name, members, over, names) => {
    expect(proved(members, over)).toEqual(names)
  })
})
