import { describe, expect, it } from 'vitest'
import type { RunPlan } from '../../../src/core/batch/run-step.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import { attempt, NOW } from '../../support/make.ts'
import { failed, MINUTE, of, running, runSpec, SECOND, slotsOf, step, stopped, succeeded, times } from './make.ts'

const never = { template: { spec: { driver: 'fake', restartPolicy: 'Never', containers: [{ name: 'main', image: 'a:1' }] } } }
const indexed = { ...never, completionMode: 'Indexed' }
const rule = (action: string, ...values: number[]) => ({ action, onExitCodes: { operator: 'In', values } })

/** What a look comes to: `Running` and the numbers that start, or the end and its reason. */
const comesTo = (plan: RunPlan): string =>
  plan.run.finishedAt === null ? [plan.run.phase, ...slotsOf(plan)].join(' ') : `${plan.run.phase} ${plan.run.reason} ${plan.run.exitCode}`

describe('a look at a run', () => {
  const table: [string, object, TaskState[], string][] = [
    ['starts as many as may run at once', { completions: 5, parallelism: 2 }, [], 'Running 0 1'],
    ['starts none that runs or is done', { completions: 5, parallelism: 3 }, [succeeded(0), running(2)], 'Running 1 3'],
    ['starts no more than are missing', { completions: 3, parallelism: 9 }, [succeeded(1)], 'Running 0 2'],
    ['starts none beyond a parallelism that was lowered', { completions: 5, parallelism: 1 }, [running(0), running(1)], 'Running'],
    ['ends when each number succeeded', { completions: 2 }, [succeeded(0), succeeded(1)], 'Succeeded Completed 0'],
    ['takes one number that succeeded twice for one', { completions: 2 }, [succeeded(0), succeeded(0)], 'Running 1'],
    ['tries a number that failed once again at once', { completions: 2, parallelism: 2 }, [failed(0)], 'Running 0 1'],
    [
      'has failed with more than backoffLimit',
      { completions: 9, backoffLimit: 1 },
      [failed(0, 7), failed(1, 8)],
      'Failed BackoffLimitExceeded 8',
    ],
    ['has not at backoffLimit', { completions: 2, backoffLimit: 2 }, [failed(0), failed(1), running(1)], 'Running'],
    ['succeeded, though it used up its limit', { backoffLimit: 0 }, [failed(0), succeeded(0)], 'Succeeded Completed 0'],
    [
      'counts what is restarted in place, and tells its exit code',
      { completions: 2, backoffLimit: 1 },
      [
        of(0, { phase: 'Preparing', failures: 1, attempts: [attempt(1, 5)] }),
        of(1, { phase: 'Preparing', failures: 1, attempts: [attempt(1, 6)], updatedAt: NOW + 1 }),
      ],
      'Failed BackoffLimitExceeded 6',
    ],
    [
      'counts for each number by itself',
      { ...indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1 },
      [failed(0), failed(1)],
      'Running 0 1 2',
    ],
    [
      'gives up a number that used up its own limit, and goes on with the others',
      { ...indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1 },
      [failed(0), failed(0), running(1)],
      'Running 2',
    ],
    [
      'has failed once all others are done',
      { ...indexed, completions: 3, backoffLimitPerIndex: 0 },
      [failed(0, 9), succeeded(1), succeeded(2)],
      'Failed FailedIndexes 9',
    ],
    [
      'has failed with more failed numbers than maxFailedIndexes',
      { ...indexed, completions: 9, backoffLimitPerIndex: 0, maxFailedIndexes: 1 },
      [failed(0), failed(1)],
      'Failed MaxFailedIndexesExceeded 1',
    ],
    [
      'has not with as many',
      { ...indexed, completions: 3, backoffLimitPerIndex: 0, maxFailedIndexes: 1, parallelism: 3 },
      [failed(0)],
      'Running 1 2',
    ],
    ['fails by a rule', { ...never, taskFailurePolicy: { rules: [rule('FailJob', 42)] } }, [failed(0, 42)], 'Failed TaskFailurePolicy 42'],
    [
      'gives up a number by a rule, whatever is left of its limit',
      { ...indexed, completions: 2, parallelism: 2, taskFailurePolicy: { rules: [rule('FailIndex', 3)] } },
      [failed(0, 3)],
      'Running 1',
    ],
    [
      'does not count what a rule ignores',
      { ...never, backoffLimit: 0, taskFailurePolicy: { rules: [rule('Ignore', 3)] } },
      [failed(0, 3)],
      'Running 0',
    ],
  ]
  it.each(table)('%s', (_, spec, tasks, expected) =>
    expect(comesTo(step(tasks, { spec: runSpec(spec), now: NOW + 5 * MINUTE }))).toBe(expected),
  )

  it('takes no number for failed that succeeded before its limit was lowered', () => {
    const spec = runSpec({ ...indexed, completions: 3, backoffLimitPerIndex: 0, maxFailedIndexes: 0 })
    expect(comesTo(step([failed(0, 1, NOW - MINUTE), succeeded(0), running(1)], { spec }))).toBe('Running')
    expect(comesTo(step([failed(0, 1, NOW - MINUTE), succeeded(0), succeeded(1), succeeded(2)], { spec }))).toBe('Succeeded Completed 0')
  })

  it('hears of a failure that ends the run also among many that end at once', () => {
    const spec = runSpec({ ...never, completions: 1000, parallelism: 300, taskFailurePolicy: { rules: [rule('FailJob', 42)] } })
    const burst = [failed(299, 42, NOW - SECOND), ...times(290, succeeded)]
    expect(comesTo(step(burst, { spec }))).toBe('Failed TaskFailurePolicy 42')
    const suspended = step(burst, { spec, wish: 'Suspend' })
    const left = burst.filter(({ task }) => !suspended.forget.includes(task.id))
    expect(comesTo(step(left, { spec, before: suspended.run }))).toBe('Failed TaskFailurePolicy 42')
  })

  it('writes the whole result into the record, for its tasks go in time', () => {
    const spec = runSpec({ ...indexed, completions: 4, backoffLimitPerIndex: 0 })
    const { run } = step([succeeded(0), failed(1, 5), succeeded(2), succeeded(3)], { spec })
    expect(run).toMatchObject({ succeeded: '0,2-3', failedIndexes: '1', failures: 1, finishedAt: NOW })
    expect(run.attempts.map(({ index, exitCode }) => [index, exitCode])).toEqual([
      [0, 0],
      [1, 5],
      [2, 0],
      [3, 0],
    ])
  })
})

describe('waiting for the next try', () => {
  const spec = runSpec({ completions: 2, parallelism: 2, backoffLimit: 100 })
  it.each([
    [1, 0],
    [2, 10],
    [3, 20],
    [4, 40],
    [5, 80],
    [6, 160],
    [7, 300],
    [12, 300],
  ])('after %i failures it is %i s, and holds up no other number', (failures, seconds) => {
    const tasks = times(failures, () => failed(0))
    if (seconds > 0)
      expect(step(tasks, { spec, now: NOW + seconds * SECOND - 1 })).toMatchObject({
        create: [{ slot: '1' }],
        wakeAt: NOW + seconds * SECOND,
      })
    expect(slotsOf(step(tasks, { spec, now: NOW + seconds * SECOND }))).toEqual(['0', '1'])
  })

  it('is no matter of numbers without end: beyond a thousand that wait no more begin', () => {
    const many = runSpec({ ...indexed, completions: 5000, parallelism: 5000, backoffLimitPerIndex: 5 })
    const waiting = times(2000, (index) => failed(index % 1000))
    expect(step(waiting, { spec: many })).toMatchObject({ create: [], wakeAt: NOW + 10 * SECOND })
    expect(step(waiting.slice(1), { spec: many }).create).not.toEqual([])
  })
})

describe('activeDeadlineSeconds', () => {
  const spec = runSpec({ activeDeadlineSeconds: 60 })
  it('ends what takes longer, at the very moment', () => {
    expect(step([running(0)], { spec, now: NOW + MINUTE - 1 })).toMatchObject({ run: { finishedAt: null }, wakeAt: NOW + MINUTE })
    const late = step([running(0)], { spec, now: NOW + MINUTE })
    expect(comesTo(late)).toBe('Failed DeadlineExceeded null')
    expect(late.stop).toHaveLength(1)
  })

  it('counts anew after the run was suspended', () => {
    const suspended = step([running(0)], { spec, wish: 'Suspend', now: NOW + MINUTE / 2 })
    expect(suspended.run).toMatchObject({ phase: 'Suspended', startedAt: null })
    expect(suspended.stop).toHaveLength(1)
    const resumed = step([stopped(0)], { spec, before: suspended.run, now: NOW + 10 * MINUTE })
    expect(resumed).toMatchObject({
      run: { phase: 'Running', startedAt: NOW + 10 * MINUTE },
      create: [{ slot: '0' }],
      wakeAt: NOW + 11 * MINUTE,
    })
  })
})

describe('a suspended run', () => {
  it('keeps what succeeded and what failed, and no stop is a failure', () => {
    const spec = runSpec({ completions: 4, parallelism: 2, backoffLimit: 1 })
    const resumed = step([succeeded(0), failed(1), stopped(1), stopped(2)], { spec, before: { phase: 'Suspended', startedAt: null } })
    expect(comesTo(resumed)).toBe('Running 1 2')
    expect(resumed.create.map(({ maxRestarts }) => maxRestarts)).toEqual([0, 0])
  })
})

describe('a Global run', () => {
  const spec = runSpec({ mode: 'Global' })
  const on = (machine: string, task: TaskState): TaskState => ({
    ...task,
    task: { ...task.task, slot: machine, agent: machine as AgentId },
  })
  const look = (machines: string[], ...tasks: TaskState[]) => comesTo(step(tasks, { spec, machines }))

  it('has one completion on each machine, which do not wait for each other', () => {
    expect(look(['a', 'b', 'c'], on('b', running('b')))).toBe('Running a c')
    expect(look(['a', 'b'], on('a', succeeded('a')), on('b', succeeded('b')))).toBe('Succeeded Completed 0')
  })

  it('goes on with a machine that joins, and ends without one that left', () => {
    expect(look(['a', 'b'], on('a', succeeded('a')))).toBe('Running b')
    expect(look(['a'], on('a', succeeded('a')), on('b', running('b')))).toBe('Succeeded Completed 0')
  })

  it('does not wait for the task of a machine that left before it begins on one that came', () => {
    expect(look(['a', 'c'], on('a', running('a')), on('b', running('b')))).toBe('Running c')
  })

  it('is not over while there is no machine', () => expect(look([])).toBe('Running'))

  it('has one limit for all machines, also those that are gone', () => {
    const strict = { spec: runSpec({ mode: 'Global', backoffLimit: 1 }), machines: ['a'] }
    expect(comesTo(step([on('a', failed('a', 3)), on('b', failed('b', 4, NOW + 1))], strict))).toBe('Failed BackoffLimitExceeded 4')
  })
})

describe('exclusive', () => {
  const spec = runSpec({ completions: 2, parallelism: 2, exclusive: true, backoffLimit: 9 })
  const leaving = of(0, { phase: 'Running' }, { desired: 'stop' })
  const forgot = of(0, { phase: 'Lost', attempts: [], reasons: [{ code: 'AgentForgot', message: 'came back without it', count: 1 }] })

  it('starts no number of which an attempt may still run, whatever it was told', () => {
    expect(slotsOf(step([leaving], { spec }))).toEqual(['1'])
    expect(slotsOf(step([leaving], { spec: runSpec({ completions: 2, parallelism: 2 }) }))).toEqual(['0', '1'])
  })

  it('waits for other runs too', () => {
    expect(slotsOf(step([], { spec, busy: new Map([['1', Number.POSITIVE_INFINITY]]) }))).toEqual(['0'])
  })

  it('waits until what the leader only takes for lost is swept away on its machine', () => {
    expect(step([forgot], { spec, now: NOW + MINUTE - 1 })).toMatchObject({ create: [{ slot: '1' }], wakeAt: NOW + MINUTE })
    expect(slotsOf(step([forgot], { spec, now: NOW + MINUTE }))).toEqual(['0', '1'])
  })

  it('believes the agent that says that it is gone', () => {
    expect(slotsOf(step([of(0, { phase: 'Lost', failures: 1, attempts: [attempt(1, null)] })], { spec }))).toEqual(['0', '1'])
  })
})

describe('a full cluster', () => {
  it('is asked for at most 1000 tasks of a run at a time', () => {
    const spec = runSpec({ completions: 5000, parallelism: 5000 })
    const unplaced = (index: number) => of(index, null, { agent: null })
    expect(step([], { spec }).create).toHaveLength(1000)
    expect(step(times(1000, unplaced), { spec }).create).toEqual([])
    expect(step([...times(400, unplaced), ...times(600, (index) => running(400 + index))], { spec }).create).toHaveLength(600)
  })
})
