import { describe, expect, it } from 'vitest'
import { type ByHand, manualRun, rerun } from '../../../src/core/batch/by-hand.ts'
import type { WorkloadState } from '../../../src/core/workload.ts'
import type { RunId, WorkloadKey } from '../../../src/model/ids.ts'
import type { Run } from '../../../src/model/records.ts'
import {
  attempt,
  CRON_KEY,
  cronJobState,
  deploymentState,
  digest,
  JOB_KEY,
  jobState,
  NOW,
  run,
  waitsFor,
  workload,
} from '../../support/make.ts'
import { Decider, sorted } from '../decide.ts'

const wish = { actor: 'cli:ann', now: NOW }
const HOUR = 3_600_000
const ended = { phase: 'Succeeded', finishedAt: NOW - 1, exitCode: 0 } as const
const failed = { phase: 'Failed', finishedAt: NOW - 1, reason: 'BackoffLimitExceeded' } as const

const jobRun = (over: Partial<Run> = {}): Run => run({ templateDigest: digest('new'), ...over })
const withJobRuns = (spec: object, ...runs: Run[]): WorkloadState => sorted({ ...jobState(spec), runs })
const going = (state: WorkloadState): WorkloadState => ({ ...state, record: { ...state.record, wanted: false } })

/** A run of the CronJob, in the graph that began with its first slot unless said otherwise. */
const SLOT = NOW - HOUR
const GRAPH = 'default.root-20261119t2300z' as RunId
const node = (id: string, over: Partial<Run> = {}): Run =>
  run({ id: id as RunId, workload: CRON_KEY, trigger: 'After', slot: SLOT, graph: GRAPH, ...over })
const parent = (id: string, over: Partial<Run> = {}): Run =>
  node(id, { workload: 'default/CronJob/root' as WorkloadKey, ...ended, ...over })

const whyOf = (byHand: ByHand): string | null => (byHand.is === 'Refused' ? byHand.why : null)
function runOf(byHand: ByHand): Run {
  if (byHand.is === 'Refused') throw new Error(byHand.why)
  return byHand.run
}
const recorded = (state: WorkloadState, byHand: ByHand): WorkloadState => sorted({ ...state, runs: [...state.runs, runOf(byHand)] })

describe('a run by hand is refused', () => {
  const open = jobRun({ id: 'default-migrate-y' as RunId })
  const refusals: [string, WorkloadState, string][] = [
    ['of a Deployment', deploymentState(), 'deployment/web runs all the time: only Jobs and CronJobs have runs'],
    ['of a Job that leaves', going(jobState()), 'job/migrate is being removed'],
    ['of a CronJob that leaves', going(cronJobState()), 'cronjob/export is being removed'],
    ['of a suspended Job', jobState({ suspend: true }), 'job/migrate is suspended, and starts nothing until git says suspend: false'],
    [
      'of a Job whose present run goes on',
      withJobRuns({}, jobRun(ended), { ...open, number: 2 }),
      'run/default-migrate-y of it has not ended: `drover wait run/default-migrate-y` follows it',
    ],
    [
      'of a CronJob under Forbid, while a run goes on',
      cronJobState({}, { runs: [node('x')] }),
      'run/x has not ended, and concurrencyPolicy is Forbid: `drover wait run/x` follows it; Allow or Replace would not wait',
    ],
  ]
  it.each(refusals)('%s', (_, state, why) => {
    expect(whyOf(manualRun(state, wish))).toBe(why)
  })
})

describe('a run of a Job by hand', () => {
  const base = `default.migrate-${digest('new').slice(0, 10)}`
  const cases: [string, WorkloadState, Partial<Run>][] = [
    ['is the first where none is due to begin otherwise', jobState(), { id: base as RunId, number: 1 }],
    ['is another of what ran', withJobRuns({}, jobRun({ id: base as RunId, ...ended })), { id: `${base}-2` as RunId, number: 2 }],
    ['is another of what failed', withJobRuns({}, jobRun({ id: base as RunId, ...failed })), { id: `${base}-2` as RunId, number: 2 }],
    [
      'does not wait for what gives way to it',
      withJobRuns({}, jobRun({ id: 'old' as RunId, templateDigest: digest('old'), number: 7 })),
      { id: base as RunId, number: 8 },
    ],
  ]
  it.each(cases)('%s', (_, state, expected) => {
    const made = runOf(manualRun(state, wish))
    expect(made).toMatchObject({ trigger: 'Manual', actor: 'cli:ann', phase: 'Pending', graph: null, slot: null, ...expected })
    expect(recorded(state, { is: 'Run', run: made }).run).toEqual(made)
  })

  it('is started, and leaves the one before as it ended', () => {
    const decider = new Decider(jobState()).decide().say('migrate-1', { phase: 'Succeeded', attempts: [attempt(1, 0)] })
    const first = decider.run
    decider.state = recorded(decider.state, manualRun(decider.state, wish))
    decider.decide()
    expect(decider.run).toMatchObject({ id: `${base}-2`, phase: 'Running', trigger: 'Manual' })
    expect(decider.ids).toEqual(['migrate-2'])
    expect(decider.state.runs).toContainEqual(first)
  })

  it('answers for whom onRevert: Block waits', () => {
    const state = withJobRuns(
      { onRevert: 'Block' },
      jobRun(ended),
      jobRun({ id: 'newer' as RunId, templateDigest: digest('newer'), number: 2, ...ended }),
    )
    expect(state.blocked).toBe('Yes')
    const after = recorded(state, manualRun(state, wish))
    expect(after.blocked).toBe('No')
    expect(new Decider(after).decide().run).toMatchObject({ phase: 'Running', number: 3 })
  })

  it('waits for what the Job depends on', () => {
    const state = { ...withJobRuns({}, jobRun(ended)), unmet: [waitsFor()] }
    const decider = new Decider(recorded(state, manualRun(state, wish))).decide()
    expect(decider.run).toMatchObject({ phase: 'Pending', startedAt: null })
    decider.state = { ...decider.state, unmet: [] }
    expect(decider.decide().run?.phase).toBe('Running')
  })
})

describe('a run of a CronJob by hand', () => {
  it('begins a graph of its own', () => {
    const made = runOf(manualRun(cronJobState({}, { runs: [node('x', { number: 4, ...ended })] }), wish))
    expect(made).toMatchObject({
      id: 'default.export-manual-5',
      trigger: 'Manual',
      number: 5,
      slot: null,
      graph: 'default.export-manual-5',
      parents: [],
    })
  })

  it('is made of a suspended one too, and of one that comes after others', () => {
    const decider = new Decider(cronJobState({ suspend: true, after: ['root'] }))
    decider.state = recorded(decider.state, manualRun(decider.state, wish))
    decider.decide()
    expect(decider.state.runs).toMatchObject([{ trigger: 'Manual', phase: 'Running' }])
    expect(decider.ids).toEqual(['export-1'])
  })

  it('waits for what the CronJob depends on', () => {
    const state = cronJobState({}, { unmet: [waitsFor()] })
    const decider = new Decider(recorded(state, manualRun(state, wish))).decide()
    expect(decider.state.runs).toMatchObject([{ phase: 'Pending', startedAt: null }])
    decider.state = { ...decider.state, unmet: [] }
    expect(decider.decide().state.runs).toMatchObject([{ phase: 'Running' }])
  })

  it('goes beside others under Allow, and ends them under Replace once it starts', () => {
    const replacing = (policy: string, unmet: WorkloadState['unmet'] = []) => {
      const state = cronJobState({ concurrencyPolicy: policy }, { runs: [node('x')], unmet })
      const decider = new Decider(recorded(state, manualRun(state, wish))).decide()
      return decider.state.runs.map(({ phase, reason }) => reason ?? phase)
    }
    expect(replacing('Allow')).toEqual(['Running', 'Running'])
    expect(replacing('Replace', [waitsFor()])).toEqual(['Running', 'Pending'])
    expect(replacing('Replace')).toEqual(['Replaced', 'Running'])
  })

  it('is ended by a slot that comes under Replace, as any run is', () => {
    const state = cronJobState({ concurrencyPolicy: 'Replace' })
    const decider = new Decider(recorded(state, manualRun(state, wish))).decide().after(HOUR)
    expect(decider.state.runs).toMatchObject([
      { trigger: 'Manual', reason: 'Replaced' },
      { trigger: 'Schedule', phase: 'Running', number: 2 },
    ])
  })

  it('has a number that none had, though nothing tells of them any more', () => {
    const spec = {
      jobTemplate: { spec: { ttlSecondsAfterFinished: 60, template: { spec: { containers: [{ name: 'main', image: 'a:1' }] } } } },
    }
    const decider = new Decider(cronJobState(spec))
    const ids: string[] = []
    for (let times = 0; times < 3; times += 1) {
      decider.state = recorded(decider.state, manualRun(decider.state, { ...wish, now: decider.now }))
      ids.push(String(decider.decide().state.runs.at(-1)?.id))
      decider.say(String(decider.ids[0]), { phase: 'Succeeded', attempts: [attempt(1, 0)] }).after(60_000)
      expect(decider.state.runs.every(({ buriedAt }) => buriedAt !== null)).toBe(true)
    }
    expect(ids).toEqual(['default.export-manual-1', 'default.export-manual-2', 'default.export-manual-3'])
  })
})

describe('the same again', () => {
  const bad = node('bad', { number: 3, parents: ['p1' as RunId], ...failed })
  const state = (over: Partial<WorkloadState> = {}, spec: object = {}, parents: readonly Run[] = [parent('p1')]): WorkloadState => {
    const made = cronJobState({ after: ['root'], ...spec }, { runs: [bad], ...over })
    return { ...made, cron: made.cron === null ? null : { ...made.cron, parents: [parents] } }
  }
  const again = (from: WorkloadState, of: Run = bad) => rerun(from, of, wish)

  it('is a node of the same graph, of the present version', () => {
    const made = runOf(again(state({ record: workload({ key: CRON_KEY, templateDigest: digest('mended') }) })))
    expect(made).toMatchObject({
      id: 'default.export-20261119t2300z',
      trigger: 'Rerun',
      actor: 'cli:ann',
      number: 4,
      slot: SLOT,
      graph: GRAPH,
      parents: ['p1'],
      templateDigest: digest('mended'),
    })
  })

  it('has a free name, in graphs of slots and in those of a word', () => {
    const manual = 'default.root-manual-9' as RunId
    const names = ['default.export-20261119t2300z', 'default.export-manual-9'].map((id) => node(id, { ...failed }))
    expect(runOf(again(state({ runs: names }))).id).toBe('default.export-20261119t2300z-2')
    const byWord = node('default.export-manual-9', { graph: manual, slot: null, ...failed })
    expect(runOf(again(state({ runs: [byWord] }), byWord)).id).toBe('default.export-manual-9-2')
  })

  const builds: [string, readonly Run[], string[]][] = [
    ['the newest success of each parent', [parent('p1'), parent('p2', { number: 2 })], ['p2']],
    ['no parent that is run again just now', [parent('p1'), parent('p2', { number: 2, phase: 'Running', finishedAt: null })], ['p1']],
    ['no parent that failed since', [parent('p1'), parent('p2', { number: 2, ...failed })], ['p1']],
    ['no run of another graph', [parent('p1'), parent('p2', { number: 2, graph: 'other' as RunId })], ['p1']],
  ]
  it.each(builds)('builds on %s', (_, parents, expected) => {
    expect(runOf(again(state({}, {}, parents))).parents).toEqual(expected)
  })

  it('is due once more when a parent that was run again succeeds after it', () => {
    const busy = parent('p2', { number: 2, phase: 'Running', finishedAt: null })
    const before = state({}, {}, [parent('p1'), busy])
    const decider = new Decider(recorded(before, again(before))).decide()
    decider.say(String(decider.ids[0]), { phase: 'Succeeded', attempts: [attempt(1, 0)] })
    expect(decider.state.runs).toHaveLength(2)
    const over = { ...busy, ...ended, finishedAt: NOW + 5 }
    decider.state = { ...decider.state, cron: decider.state.cron && { ...decider.state.cron, parents: [[parent('p1'), over]] } }
    decider.decide()
    expect(decider.state.runs.at(-1)).toMatchObject({ trigger: 'After', parents: ['p2'], phase: 'Running' })
  })

  const refusals: [string, ByHand, string][] = [
    [
      'while this node runs in this graph, whatever the policy',
      again(state({ runs: [bad, node('y')] }, { concurrencyPolicy: 'Allow' })),
      'run/y has not ended, in the same graph: `drover wait run/y` follows it',
    ],
    [
      'while it runs in another graph, under Forbid',
      again(state({ runs: [bad, node('y', { graph: 'other' as RunId })] })),
      'run/y has not ended, and concurrencyPolicy is Forbid: `drover wait run/y` follows it; Allow or Replace would not wait',
    ],
    ['of what leaves', again(going(state())), 'cronjob/export is being removed'],
    ['of what is no Job any more', again(deploymentState()), 'deployment/web is no Job by now'],
    [
      'of an earlier version of a Job',
      rerun(jobState(), jobRun({ templateDigest: digest('old'), ...ended }), wish),
      'run/default-migrate-x ran an earlier version of job/migrate: `drover run job/migrate` runs the present one',
    ],
    [
      'of a Job that runs',
      rerun(withJobRuns({}, jobRun()), jobRun(), wish),
      'run/default-migrate-x of it has not ended: `drover wait run/default-migrate-x` follows it',
    ],
  ]
  it.each(refusals)('is refused %s', (_, byHand, why) => {
    expect(whyOf(byHand)).toBe(why)
  })

  it('runs beside another graph under Allow', () => {
    expect(again(state({ runs: [bad, node('y', { graph: 'other' as RunId })] }, { concurrencyPolicy: 'Allow' })).is).toBe('Run')
  })

  it('of a Job is another run of its present template', () => {
    const done = jobRun(ended)
    const made = runOf(rerun(withJobRuns({}, done), done, wish))
    expect(made).toMatchObject({ trigger: 'Rerun', workload: JOB_KEY, number: 2, parents: [], graph: null })
  })
})
