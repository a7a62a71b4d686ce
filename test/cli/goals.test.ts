import { describe, expect, it } from 'vitest'
import { appVerdict, currentRun, runVerdict, workloadVerdict } from '../../src/cli/goals.ts'
import type { AppView } from '../../src/model/views.ts'
import {
  appView,
  historyView,
  quarantineView,
  REVISION_1,
  REVISION_2,
  rolledBackView,
  rolloutView,
  runView,
  workloadView,
} from '../support/fake-views.ts'

const problem = { file: 'a.yaml', line: 1, column: 2, message: 'no', hint: null }
const hold = (gate: AppView['holds'][number]['gate']) => ({ gate, message: 'm', since: '2026-11-20T12:00:00.000Z', unblockBy: 'u' })
const attempted: Partial<AppView> = { observedRevision: REVISION_2, lastAttemptedRevision: REVISION_2 }
const applied: Partial<AppView> = { ...attempted, lastAppliedRevision: REVISION_2 }

describe('an app', () => {
  type Row = [what: string, app: Partial<AppView>, goal: 'healthy' | 'synced' | null, revision: string | null, exit: number | null]
  const rows: Row[] = [
    ['healthy and synced', {}, null, null, 0],
    ['healthy at the asked revision', applied, null, REVISION_2, 0],
    ['healthy at an older revision than asked', {}, 'healthy', REVISION_2, null],
    ['healthy while the asked revision is being applied', attempted, 'healthy', REVISION_2, null],
    ['said to be synced before the asked revision is applied', attempted, 'synced', REVISION_2, null],
    ['degraded at an older revision than asked', { health: 'Degraded' }, null, REVISION_2, null],
    ['degraded at the asked revision', { ...applied, health: 'Degraded' }, null, REVISION_2, 3],
    ['degraded, any revision', { health: 'Degraded' }, 'healthy', null, 3],
    ['degraded but synced, which was asked', { health: 'Degraded' }, 'synced', null, 0],
    ['progressing', { health: 'Progressing' }, null, null, null],
    ['unknown', { health: 'Unknown' }, 'healthy', null, null],
    ['healthy but out of sync', { sync: 'OutOfSync' }, null, null, null],
    ['healthy but out of sync, which does not matter', { sync: 'OutOfSync' }, 'healthy', null, 0],
    ['with mistakes in the asked revision', { ...attempted, sync: 'OutOfSync', problems: [problem] }, null, REVISION_2, 2],
    ['with mistakes, until the next commit', { ...attempted, sync: 'OutOfSync', problems: [problem] }, null, null, null],
    ['held at the asked revision', { ...attempted, sync: 'OutOfSync', holds: [hold('DeletionBudget')] }, null, REVISION_2, 3],
    ['with git away', { ...attempted, sync: 'Unknown', holds: [hold('SourceError')] }, null, REVISION_2, null],
  ]
  it.each(rows)('%s', (_, over, goal, revision, exit) => {
    expect(appVerdict(appView(over), [], { goal, revision }).exit).toBe(exit)
  })

  it('whose asked revision was refused or passed over is not waited for', () => {
    const asked = { goal: null, revision: REVISION_2 }
    const past = (outcome: string) => [historyView({ id: 2, revision: REVISION_2, outcome })]
    expect(appVerdict(appView(), past('Superseded'), asked).exit).toBe(5)
    expect(appVerdict(appView(), past('Rejected'), asked).exit).toBe(2)
    expect(appVerdict(appView(), [historyView({ id: 3, revision: REVISION_2 }), ...past('Superseded')], asked).exit).toBe(null)
    expect(appVerdict(appView(), [historyView({ revision: REVISION_1, outcome: 'Superseded' })], asked).exit).toBe(null)
  })
})

const rollingWeb = (over: Parameters<typeof rolloutView>[0] = {}) => workloadView({ rollout: rolloutView(over) })

describe('an app in a rollout', () => {
  type Row = [what: string, health: AppView['health'], view: ReturnType<typeof workloadView>, revision: string | null, exit: number | null]
  const failed = workloadView({ health: 'Degraded', rollout: rolledBackView({ phase: 'Failed' }) })
  const rows: Row[] = [
    ['that may still recover', 'Degraded', rollingWeb(), REVISION_2, null],
    ['that may still recover, any revision', 'Degraded', rollingWeb(), null, null],
    ['that waits for what it depends on', 'Degraded', rollingWeb({ phase: 'Waiting' }), REVISION_2, null],
    ['that is paused for a while', 'Degraded', rollingWeb({ phase: 'Paused', until: '2026-11-20T12:05:00.000Z' }), REVISION_2, null],
    ['that is paused while all is well', 'Healthy', rollingWeb({ phase: 'Paused' }), REVISION_2, null],
    ['that is complete', 'Healthy', rollingWeb({ phase: 'Complete' }), REVISION_2, 0],
    ['that failed and is held', 'Degraded', failed, REVISION_2, 3],
    ['that gave way to another', 'Degraded', rollingWeb({ phase: 'Superseded' }), REVISION_2, 3],
  ]
  it.each(rows)('%s', (_, health, view, revision, exit) => {
    expect(appVerdict(appView({ ...applied, health, workloads: [view] }), [], { goal: 'healthy', revision }).exit).toBe(exit)
  })

  it('tells who waits for a person, and what that person types', () => {
    const view = workloadView({ namespace: 'back', rollout: rolloutView({ phase: 'Paused', step: { number: 1, of: 2, replicas: 1 } }) })
    const { about } = appVerdict(appView({ health: 'Progressing', workloads: [view] }), [], { goal: null, revision: null })
    expect(about).toContain(
      'deployment/web: paused, step 1/2, 2/5 updated, until promoted (`drover promote deployment/web -n back` goes on)',
    )
  })

  it('names some of many', () => {
    const workloads = ['a', 'b', 'c', 'd', 'e'].map((name) => workloadView({ name, rollout: rolloutView() }))
    const { about } = appVerdict(appView({ health: 'Progressing', workloads }), [], { goal: null, revision: null })
    expect(about).toMatch(/deployment\/c: 2\/5 updated; 2 more$/)
  })
})

describe('an app whose revision was rolled back', () => {
  const results = [{ workload: 'default/Deployment/web', result: 'RolledBack', rollout: null, run: null }]
  const past = historyView({ id: 2, revision: REVISION_2, outcome: 'RolledBack', reason: 'CrashLoop: no', results })
  const verdict = (history: Parameters<typeof appVerdict>[1], revision: string | null, over: Partial<AppView> = {}) =>
    appVerdict(appView({ ...applied, ...over }), history, { goal: null, revision })

  it('is a failure at once, with the reason and the workload', () => {
    for (const over of [
      {},
      { sync: 'OutOfSync' as const, holds: [hold('Quarantine')] },
      { health: 'Degraded' as const, workloads: [rollingWeb()] },
    ])
      expect(verdict([past], REVISION_2, over)).toEqual({
        exit: 3,
        about:
          'main@2222222 was rolled back: CrashLoop: no (default/Deployment/web RolledBack); `drover describe revision/shop/2` tells more',
      })
  })

  it('is none when another is asked, when none is, or when it came again', () => {
    expect(verdict([past], REVISION_1).exit).toBe(null)
    expect(verdict([past], null).exit).toBe(0)
    expect(verdict([historyView({ id: 3, revision: REVISION_2, outcome: 'Healthy' }), past], REVISION_2).exit).toBe(0)
  })
})

describe('a workload', () => {
  type Row = [what: string, view: ReturnType<typeof workloadView>, revision: string | null, exit: number | null]
  const out = workloadView({ quarantine: quarantineView() })
  const rows: Row[] = [
    ['rolling', rollingWeb(), null, null],
    ['rolling and degraded', workloadView({ health: 'Degraded', rollout: rolloutView() }), REVISION_2, null],
    ['rolled back from the asked revision', workloadView({ rollout: rolledBackView() }), REVISION_2, 3],
    ['rolled back from another', workloadView({ rollout: rolledBackView() }), REVISION_1, 0],
    ['rolled back, any revision', workloadView({ rollout: rolledBackView() }), null, 0],
    ['that stays out at the asked revision', out, REVISION_2, 3],
    [
      'that stays out while what was good comes back',
      { ...out, rollout: rolloutView({ intent: 'Restore', revision: REVISION_1 }) },
      REVISION_2,
      3,
    ],
    ['that stays out, any revision', out, null, 0],
  ]
  it.each(rows)('%s', (_, view, revision, exit) => {
    expect(workloadVerdict(view, revision).exit).toBe(exit)
  })
})

describe('workloads and runs', () => {
  it('end by health', () => {
    expect(workloadVerdict(workloadView(), null).exit).toBe(0)
    expect(workloadVerdict(workloadView({ health: 'Degraded' }), null).exit).toBe(3)
    expect(workloadVerdict(workloadView({ health: 'Progressing' }), null).exit).toBe(null)
  })

  it('end by phase', () => {
    expect(runVerdict(runView()).exit).toBe(0)
    expect(runVerdict(runView({ phase: 'Failed' })).exit).toBe(3)
    for (const phase of ['Pending', 'Running', 'Suspended'] as const) expect(runVerdict(runView({ phase })).exit).toBe(null)
  })

  it("choose the run of a job's present inputs", () => {
    const job = workloadView({ kind: 'Job', name: 'migrate' })
    const old = runView({ id: 'old', inputsDigest: 'e'.repeat(64) })
    const first = runView({ id: 'first', finishedAt: '2026-11-20T10:00:00.000Z' })
    const last = runView({ id: 'last', finishedAt: '2026-11-20T11:00:00.000Z' })
    const going = runView({ id: 'going', finishedAt: null, phase: 'Running' })
    expect(currentRun(job, [old])).toBeUndefined()
    expect(currentRun(job, [first, last, old])?.id).toBe('last')
    expect(currentRun(job, [last, going, first])?.id).toBe('going')
    expect(currentRun(workloadView({ kind: 'Job', name: 'migrate', namespace: 'other' }), [first])).toBeUndefined()
  })
})
