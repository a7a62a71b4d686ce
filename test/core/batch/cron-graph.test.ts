import { describe, expect, it } from 'vitest'
import { dueGraphs } from '../../../src/core/batch/cron-graph.ts'
import { reconcile } from '../../../src/core/reconcile.ts'
import type { RunId } from '../../../src/model/ids.ts'
import type { Run } from '../../../src/model/records.ts'
import { CRON_KEY, NOW, waitsFor, workload } from '../../support/make.ts'
import { CronDecider, ownRun, parentRun, ROOT_KEY } from './cron-world.ts'
import { MINUTE, times } from './make.ts'

const record = workload({ key: CRON_KEY, createdAt: 0, updatedAt: 0 })
const node = (spec: object = {}) => new CronDecider({ after: ['root'], concurrencyPolicy: 'Allow', ...spec }, { record })
const graph = (name: string) => name as RunId

/** The runs that a node starts, by the graph that they are in. */
const starts = (decider: CronDecider): string[] => {
  const before = new Set(decider.state.runs.map(({ id }) => id))
  return decider.decide().state.runs.flatMap(({ id, graph: of }) => (before.has(id) ? [] : [String(of)]))
}
const one = (number: number, over: Partial<Run> = {}): Run =>
  parentRun(`g${number}`, { number, graph: graph(`g${number}`), finishedAt: NOW + number, ...over })

it('follows no run twice, though it followed others in between and came back', () => {
  const own = [
    ownRun('first', { number: 1, graph: graph('g1'), parents: [graph('g1')] }),
    ownRun('second', { number: 2, graph: graph('g1'), parents: [graph('other')] }),
  ]
  expect(dueGraphs({ parents: [[one(1)]], own, passed: {} })).toEqual([])
  expect(dueGraphs({ parents: [[one(1), one(1, { id: graph('g1-2'), number: 2 })]], own, passed: {} })).toHaveLength(1)
})

describe('a node of a graph', () => {
  it('starts once for each run of its parent that succeeds, oldest first, and never again', () => {
    const decider = node().parents([one(2), one(1), one(3, { phase: 'Running', finishedAt: null })])
    expect(starts(decider)).toEqual(['g1', 'g2'])
    expect(decider.state.runs).toMatchObject([
      { trigger: 'After', parents: ['g1'] },
      { trigger: 'After', parents: ['g2'] },
    ])
    expect(starts(decider.end())).toEqual([])
    expect(starts(decider.parents([one(1), one(2), one(3)]))).toEqual(['g3'])
  })

  it('waits for all of its parents in the same run of the graph (fan-in)', () => {
    const left = [one(1), one(2)]
    const right = (...graphs: number[]) => graphs.map((number) => one(number, { id: graph(`right-${number}`) }))
    const decider = node({ after: ['root', 'right'] })
    expect(starts(decider.parents(left, []))).toEqual([])
    expect(starts(decider.parents(left, right(2)))).toEqual(['g2'])
    expect(starts(decider.parents(left, right(1, 2)))).toEqual(['g1'])
    expect(decider.state.runs.map(({ parents }) => parents)).toEqual([
      ['g2', 'right-2'],
      ['g1', 'right-1'],
    ])
  })

  it('is held by a parent that failed, and goes on once that is run again and succeeds', () => {
    const failed = one(1, { phase: 'Failed', reason: 'BackoffLimitExceeded' })
    const again = one(1, { id: graph('g1-2'), number: 2, phase: 'Running', finishedAt: null })
    const decider = node()
    expect(starts(decider.parents([failed]))).toEqual([])
    expect(starts(decider.parents([failed, again]))).toEqual([])
    expect(starts(decider.parents([failed, { ...again, phase: 'Succeeded', finishedAt: NOW }]))).toEqual(['g1'])
  })

  it('starts anew when a parent that it followed is run again, also while it still runs', () => {
    const decider = node().parents([one(1)])
    expect(starts(decider)).toEqual(['g1'])
    expect(starts(decider.parents([one(1), one(1, { id: graph('g1-2'), number: 2 })]))).toEqual(['g1'])
    expect(decider.told).toEqual(['g1 Running', 'g1-2 Running'])
  })

  it('is named after the slot that its graph began with', () => {
    const slot = Date.parse('2026-11-20T00:05:00Z')
    const decider = node().parents([one(1, { slot })])
    decider.decide()
    expect(decider.state.runs).toMatchObject([{ id: 'default.export-20261120t0005z', slot }])
  })

  it('lets nothing pass while a dependency is missing', () => {
    const decider = node()
    decider.state = { ...decider.state, unmet: [waitsFor()] }
    expect(starts(decider.parents([one(1), one(2)]))).toEqual([])
    decider.state = { ...decider.state, unmet: [] }
    expect(starts(decider)).toEqual(['g1', 'g2'])
  })

  it('knows by runs and not by the clock what it followed, so that a clock that goes back loses nothing', () => {
    const decider = node({ suspend: true }).parents([one(1)])
    expect(starts(decider)).toEqual([])
    decider.commit({ after: ['root'] })
    decider.now = NOW - 60 * MINUTE
    expect(starts(decider.parents([one(1), one(2, { finishedAt: NOW - 50 * MINUTE })]))).toEqual(['g2'])
  })
})

describe('Forbid in a graph', () => {
  it('follows one run after the other, those too that ended in the same moment, and forgets none for having ended itself', () => {
    const together = { finishedAt: NOW }
    const template = { spec: { driver: 'fake', containers: [{ name: 'main', image: 'a:1' }] } }
    const decider = node({ concurrencyPolicy: 'Forbid', jobTemplate: { spec: { ttlSecondsAfterFinished: 0, template } } })
    decider.parents([one(1, together), one(2, together), one(3, together)])
    expect(starts(decider)).toEqual(['g1'])
    expect(starts(decider.end())).toEqual([])
    expect(decider.told).toEqual(['g1 Succeeded', 'g2 Running'])
    decider.after(MINUTE).end()
    expect(decider.told).toEqual(['g1 Succeeded', 'g2 Succeeded', 'g3 Running'])
  })
})

describe('Replace in a graph', () => {
  it('starts the newest of several, and passes over those that it would end at once', () => {
    const decider = node({ concurrencyPolicy: 'Replace' }).parents([one(1), one(2), one(3)])
    expect(starts(decider)).toEqual(['g3'])
    expect(starts(decider)).toEqual([])
    expect(starts(decider.parents([one(1), one(2), one(3), one(4)]))).toEqual(['g4'])
    expect(decider.told).toEqual(['g3 Replaced', 'g4 Running'])
  })

  it('has its mark before its run, so that a turn cut in between starts nothing older in its place', () => {
    const decider = node({ concurrencyPolicy: 'Replace' }).parents([one(1), one(2)])
    const { writes } = reconcile(decider.state, { now: NOW, newId: () => 'x' })
    expect(writes.map(({ table }) => table).filter((table) => table === 'schedules' || table === 'runs')).toEqual(['schedules', 'runs'])
    const cron = decider.state.cron
    const mark = writes.find((write) => write.table === 'schedules')
    if (cron === null || mark?.table !== 'schedules') throw new Error('a mark')
    decider.state = { ...decider.state, cron: { ...cron, state: mark.value } }
    expect(starts(decider)).toEqual(['g2'])
  })
})

describe('what happened before a node', () => {
  it('was there, is none of its business (late child)', () => {
    const late = new CronDecider({ after: ['root'] }, { record: { ...record, createdAt: NOW + 2 } })
    expect(starts(late.parents([one(1), one(2), one(3)]))).toEqual(['g3'])
  })

  it('had another parent, is not told again when its parents change', () => {
    const decider = node().parents([one(1), one(2)])
    decider.decide().end()
    decider.now = NOW + MINUTE
    decider.commit({ after: ['root', 'right'], concurrencyPolicy: 'Allow' })
    const right = (number: number, finishedAt: number) => one(number, { id: graph(`right-${number}`), finishedAt })
    expect(starts(decider.parents([one(1), one(2)], [right(1, NOW), right(2, NOW)]))).toEqual([])
    expect(starts(decider.parents([one(1), one(2), one(3)], [right(1, NOW), right(2, NOW), right(3, NOW + 2 * MINUTE)]))).toEqual(['g3'])
  })

  it('had another parent, is not told again though the clock was set back before they change', () => {
    const decider = node().parents([one(1)])
    decider.decide().end()
    decider.now = NOW - 60 * MINUTE
    decider.commit({ after: ['root', 'right'], concurrencyPolicy: 'Allow' })
    const right = (number: number) => one(number, { id: graph(`right-${number}`) })
    expect(starts(decider.parents([one(1), one(2)], [right(1), right(2)]))).toEqual([])
    decider.now += MINUTE
    const ended = { finishedAt: decider.now }
    expect(starts(decider.parents([one(1), one(3, ended)], [right(1), right(3)]))).toEqual(['g3'])
  })

  it('went by while it was suspended, does not start it; what is run again after that does', () => {
    const decider = node({ suspend: true }).parents([one(1), one(2)])
    expect(starts(decider)).toEqual([])
    decider.commit({ after: ['root'], concurrencyPolicy: 'Allow' })
    expect(starts(decider)).toEqual([])
    const again = one(2, { id: graph('g2-2'), number: 4, finishedAt: NOW - MINUTE })
    expect(starts(decider.parents([one(1), one(2), again, one(3)]))).toEqual(['g2', 'g3'])
  })

  it('is remembered only as long as a parent has it', () => {
    const decider = node({ suspend: true }).parents(times(5, (index) => one(index + 1)))
    decider.decide()
    expect(Object.keys(decider.mark?.passed ?? {})).toHaveLength(5)
    decider.parents([one(5)]).decide()
    expect(decider.mark?.passed).toEqual({ g5: 5 })
  })
})

describe('history in a graph', () => {
  const template = { spec: { driver: 'fake', containers: [{ name: 'main', image: 'a:1' }] } }
  const brief = { jobTemplate: { spec: { ttlSecondsAfterFinished: 0, template } } }

  it('keeps the fact that a parent succeeded, whatever its ttl, until its children have followed it', () => {
    const parent = new CronDecider({ schedule: '* * * * *', ...brief }).decide().after(MINUTE).end()
    expect(parent.state.runs).toMatchObject([{ phase: 'Succeeded', buriedAt: NOW + MINUTE, graph: 'default.export-20261120t0001z' }])
    expect(parent.state.tasks).toEqual([])
    expect(starts(node().parents(parent.state.runs.map((run) => ({ ...run, workload: ROOT_KEY }))))).toEqual([
      'default.export-20261120t0001z',
    ])
  })

  it('keeps the run that followed a parent as long as that is there', () => {
    const old = times(150, (index) =>
      ownRun(`own-${index}`, {
        number: index + 1,
        phase: 'Succeeded',
        finishedAt: NOW,
        graph: graph(`g${index + 1}`),
        parents: [graph(`g${index + 1}`)],
      }),
    )
    const decider = node()
    decider.state = { ...decider.state, runs: old }
    decider.parents([one(3), one(120)]).decide()
    expect(decider.state.runs.map(({ number }) => number)).toEqual([3, ...times(100, (index) => 51 + index)])
    expect(starts(decider)).toEqual([])
  })
})
