import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import { graphText } from '../../src/cli/graph-text.ts'
import { graphOf, type Known, newestGraphs } from '../../src/cli/graphs.ts'
import type { RunView, ScheduleView, WorkloadView } from '../../src/model/views.ts'
import { NOW, runView, scheduleView, workloadView } from '../support/fake-views.ts'

const look = { colors: pc.createColors(false), now: NOW }
const TEN = '2026-11-20T10:00:00.000Z'
const ELEVEN = '2026-11-20T11:00:00.000Z'

function cron(name: string, after: string[] = [], schedule: Partial<ScheduleView> = {}, over: Partial<WorkloadView> = {}): WorkloadView {
  const times = after.length === 0 ? { schedule: '@daily', timeZone: 'UTC' } : { after }
  return workloadView({ kind: 'CronJob', name, schedule: scheduleView({ ...times, ...schedule }), ...over })
}

const RUNNING = { phase: 'Running', finishedAt: null, exitCode: null } as const
const FAILED = { phase: 'Failed', exitCode: 3, reason: 'BackoffLimitExceeded' } as const
/** A run of the graph that `a` began, named after its node. */
const ran = (name: string, parents: string[] = [], over: Partial<RunView> = {}): RunView =>
  runView({ id: name, job: name, cronJob: name, graph: 'a', parents, startedAt: TEN, finishedAt: ELEVEN, createdAt: TEN, ...over })

const drawn = (known: Known): string[] => graphText(graphOf('a', known), look, 'table').trimEnd().split('\n')
/** Name, phase and what is said of each node. */
const nodes = (known: Known): string[] => graphOf('a', known).nodes.map(({ name, phase, about }) => `${name} ${phase} ${about}`.trimEnd())

const DIAMOND = [cron('a'), cron('b', ['a']), cron('c', ['a']), cron('d', ['b', 'c'])]

describe('the picture', () => {
  const pictures: [string, WorkloadView[], RunView[], string[]][] = [
    [
      'a diamond: what joins stands once, with its parents',
      DIAMOND,
      [ran('a'), ran('b', ['a']), ran('c', ['a'], FAILED)],
      [
        'run/a: Failed, revision, 120m ago',
        'CRONJOB       PHASE       DURATION   ABOUT',
        'a             Succeeded   60m        -',
        '|- b          Succeeded   60m        -',
        '|- c          Failed      60m        BackoffLimitExceeded, exit code 3',
        '`- d (b, c)   Blocked     -          waits for c, which failed',
      ],
    ],
    [
      'branches of different depth, which join below what both come through',
      [cron('a'), cron('b', ['a']), cron('c', ['b']), cron('d', ['b']), cron('e', ['c', 'd']), cron('f', ['a', 'e']), cron('g', ['c'])],
      [ran('a', [], RUNNING)],
      [
        'run/a: Running, revision, 120m ago',
        'CRONJOB          PHASE     DURATION   ABOUT',
        'a                Running   120m       -',
        '|- b             Waiting   -          waits for a',
        '|  |- c          Waiting   -          waits for b',
        '|  |  `- g       Waiting   -          waits for c',
        '|  |- d          Waiting   -          waits for b',
        '|  `- e (c, d)   Waiting   -          waits for c, d',
        '`- f (a, e)      Waiting   -          waits for a, e',
      ],
    ],
  ]
  it.each(pictures)('%s', (_, workloads, runs, expected) => {
    expect(drawn({ workloads, runs })).toEqual(expected)
    expect(drawn({ workloads: workloads.toReversed(), runs: runs.toReversed() })).toEqual(expected)
    for (const line of expected) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('tells the slot, the namespace, and names no longer than they are', () => {
    const known = { workloads: [], runs: [ran('a', [], { namespace: 'back', slot: '2026-11-20T09:59:30.000Z' })] }
    expect(drawn(known)[0]).toBe('run/a (back): Succeeded, slot 2026-11-20 09:59:30Z, 120m ago')
  })

  it('has no colours and escapes of its own in names', () => {
    expect(drawn({ workloads: [], runs: [ran('a', [], { ...FAILED, reason: '\u001b[31mred' })] })[2]).toContain('\\e[31mred, exit code 3')
  })
})

describe('a node that has not run', () => {
  const both = [ran('a'), ran('b', ['a']), ran('c', ['a'])]
  const d = (schedule: Partial<ScheduleView>, over: Partial<WorkloadView> = {}) => [
    ...DIAMOND.slice(0, 3),
    cron('d', ['b', 'c'], schedule, over),
  ]
  const reasons = [{ code: 'DependencyNotReady', message: 'waits for deployment/db to be Available; it is Missing', count: 1 }]
  const cases: [string, WorkloadView[], RunView[], string][] = [
    ['starts', DIAMOND, both, 'd Waiting is about to start'],
    ['waits for a parent that goes on', DIAMOND, [...both.slice(0, 2), ran('c', ['a'], RUNNING)], 'd Waiting waits for c'],
    ['waits for a parent that has not begun', DIAMOND, both.slice(0, 2), 'd Waiting waits for c'],
    ['is held by a parent that failed', DIAMOND, [...both.slice(0, 2), ran('c', ['a'], FAILED)], 'd Blocked waits for c, which failed'],
    ['waits for its own run under Forbid', d({ active: ['d-of-before'] }), both, 'd Waiting waits for run/d-of-before to end'],
    ['goes beside its own run under Allow', d({ active: ['x'], concurrencyPolicy: 'Allow' }), both, 'd Waiting is about to start'],
    ['rests', d({ suspend: true }), both, 'd Blocked it is suspended'],
    ['was not wanted when its parents ended', d({ through: ELEVEN }), both, 'd Skipped was not wanted then, or its record is gone'],
    ['waits for what it depends on', d({}, { reasons }), both, 'd Waiting waits for deployment/db to be Available; it is Missing'],
  ]
  it.each(cases)('%s', (_, workloads, runs, expected) => {
    expect(nodes({ workloads, runs }).at(-1)).toBe(expected)
  })

  it('tells of those far away what holds them up nearby', () => {
    const workloads = [...DIAMOND, cron('e', ['d'])]
    expect(nodes({ workloads, runs: [ran('a'), ran('b', ['a']), ran('c', ['a'], FAILED)] }).slice(3)).toEqual([
      'd Blocked waits for c, which failed',
      'e Blocked waits for d',
    ])
  })

  it('names three of many', () => {
    const many = ['b', 'c', 'd', 'e', 'f']
    const workloads = [cron('a'), ...many.map((name) => cron(name, ['a'])), cron('z', many)]
    expect(nodes({ workloads, runs: [ran('a')] }).at(-1)).toBe('z Waiting waits for b, c, d and 2 more')
  })
})

describe('what belongs to a graph', () => {
  it('is what can come of its beginning, and nothing that waits for others too', () => {
    const runs = [ran('b', [], { graph: 'b', trigger: 'Manual' })]
    const graph = graphOf('b', { workloads: [...DIAMOND, cron('x', ['b'])], runs })
    expect(graph.nodes.map(({ name }) => name)).toEqual(['b', 'x'])
  })

  it('are the newest runs in it, each told when what it built on ran again', () => {
    const again = ran('a-2', ['a'], { job: 'b', cronJob: 'b', number: 2 })
    const [, b, , d] = graphOf('a', {
      workloads: DIAMOND,
      runs: [ran('a'), ran('b', ['a'], FAILED), again, ran('c', ['a']), ran('d', ['b', 'c'])],
    }).nodes
    expect(b).toMatchObject({ phase: 'Succeeded', times: 2, run: { id: 'a-2' } })
    expect(d).toMatchObject({ phase: 'Succeeded', about: 'b ran again since' })
  })

  it('is drawn as it was where git says something else by now, and in no circle', () => {
    const runs = [ran('a'), ran('b', ['a']), ran('c', ['b'])]
    expect(graphOf('a', { workloads: [], runs }).nodes.map(({ name, parents }) => [name, parents])).toEqual([
      ['a', []],
      ['b', ['a']],
      ['c', ['b']],
    ])
    const turned = [cron('a'), cron('b', ['c'])]
    expect(
      graphOf('a', { workloads: turned, runs })
        .nodes.map(({ name }) => name)
        .toSorted(),
    ).toEqual(['a', 'b', 'c'])
  })

  it('goes on to be told though the record of its beginning is gone', () => {
    expect(drawn({ workloads: DIAMOND, runs: [ran('b', ['a'])] })).toEqual([
      'run/a: Succeeded',
      'CRONJOB   PHASE       DURATION   ABOUT',
      'b         Succeeded   60m        -',
    ])
  })
})

it('without a name the newest of each beginning are drawn, and none of a lone CronJob', () => {
  const older = ran('a-0', [], { id: 'a-0', job: 'a', cronJob: 'a', graph: 'a-0', number: 1 })
  const lone = ran('z', [], { graph: 'z' })
  const other = ran('r', [], { graph: 'r', namespace: 'back' })
  const workloads = [...DIAMOND, cron('z'), cron('r', [], {}, { namespace: 'back' }), cron('s', ['r'], {}, { namespace: 'back' })]
  const graphs = newestGraphs({ workloads, runs: [older, lone, other, ran('a', [], { number: 2 })] })
  expect(graphs.map(({ namespace, id }) => `${namespace} ${id}`)).toEqual(['back r', 'default a'])
})
