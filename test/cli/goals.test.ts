import { describe, expect, it } from 'vitest'
import { appVerdict, currentRun, runVerdict, workloadVerdict } from '../../src/cli/goals.ts'
import type { AppView } from '../../src/model/views.ts'
import { appView, historyView, REVISION_1, REVISION_2, runView, workloadView } from '../support/fake-views.ts'

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
