import { describe, expect, it } from 'vitest'
import type { RunPlan } from '../../../src/core/batch/run-step.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { Run } from '../../../src/model/records.ts'
import { MAX_VALUE_BYTES } from '../../../src/store/store.ts'
import { NOW } from '../../support/make.ts'
import { failed, of, running, runSpec, SECOND, step, stopped, succeeded, times } from './make.ts'

const never = { template: { spec: { driver: 'fake', restartPolicy: 'Never', containers: [{ name: 'main', image: 'a:1' }] } } }
const perIndex = { ...never, completionMode: 'Indexed', backoffLimitPerIndex: 3 }
const many = { completions: 1000, parallelism: 1 }

const without = (tasks: readonly TaskState[], { forget }: RunPlan): TaskState[] => tasks.filter(({ task }) => !forget.includes(task.id))
const sizeOf = (run: Run): number => JSON.stringify(run).length

describe('ended tasks of a run that goes on', () => {
  const look = (tasks: readonly TaskState[], before: Partial<Run> = {}, spec: object = many) => step(tasks, { spec: runSpec(spec), before })

  it('stay up to 149, then all but the newest 100 are counted and go', () => {
    const tasks = times(150, (index) => succeeded(index, NOW + index))
    expect(look(tasks.slice(1))).toMatchObject({ forget: [], run: { succeeded: '' } })
    const plan = look(tasks)
    expect(plan.forget).toEqual(
      tasks
        .slice(0, 50)
        .map(({ task }) => task.id)
        .reverse(),
    )
    expect(plan.run).toMatchObject({ succeeded: '0-49', counted: [] })
    expect(plan.run.attempts).toHaveLength(50)
  })

  it('count once, though a turn is cut after the record is written and before they are gone', () => {
    const tasks = [
      ...times(60, (index) => failed(index, 1, NOW + index)),
      ...times(100, (index) => succeeded(500 + index, NOW + 100 + index)),
    ]
    const settled = { ...many, completions: 1000, parallelism: 1, backoffLimit: 1000 }
    const done = [...tasks, ...times(60, (index) => succeeded(index, NOW + 300 + index))]
    const plan = look(done, {}, settled)
    expect(plan.run).toMatchObject({ failures: 60, succeeded: '500-559' })
    expect(plan.run.counted).toHaveLength(60)
    for (const left of [done, done.slice(30), without(done, plan)]) {
      const again = look(left, plan.run, settled)
      expect(again.run).toMatchObject({ failures: 60, succeeded: '500-559' })
      expect(without(left, again)).toEqual(without(done, plan))
    }
  })

  it('leave no id behind in the record once they are gone', () => {
    const tasks = [failed(0), succeeded(0, NOW + 1), ...times(160, (index) => succeeded(1 + index, NOW + 2))]
    const plan = look(tasks)
    expect(plan.run.counted).toHaveLength(1)
    const later = [...without(tasks, plan), ...times(60, (index) => succeeded(300 + index, NOW + 5))]
    expect(look(later, plan.run).run.counted).toEqual([])
  })

  it('of a number that is tried again stay, so that its next wait is as long as it should be', () => {
    const spec = runSpec({ completions: 1000, parallelism: 10, backoffLimit: 1000 })
    const failures = times(4, (index) => failed(0, 1, NOW + index))
    const others = times(400, (index) => succeeded(1 + index, NOW + 10 + index))
    const plan = step([...failures, ...others], { spec, now: NOW + 20 * SECOND })
    expect(without([...failures, ...others], plan)).toEqual(expect.arrayContaining(failures))
    const next = step(without([...failures, ...others], plan), { spec, before: plan.run, now: NOW + 20 * SECOND })
    expect(next.create.map(({ slot }) => slot)).not.toContain('0')
    expect(next.wakeAt).toBe(NOW + 3 + 40 * SECOND)
  })

  it('of such a number are no more than its wait depends on', () => {
    const spec = { ...never, ...many, taskFailurePolicy: { rules: [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [1] } }] } }
    const plan = look(
      times(400, (index) => failed(0, 1, NOW + index)),
      {},
      spec,
    )
    expect(plan.forget).toHaveLength(293)
    expect(plan.run).toMatchObject({ failures: 0, counted: [] })
  })

  it('tell by their numbers alone that they are counted, where each has its own limit', () => {
    const lost = times(400, (index) => failed(index % 100, 1, NOW + index))
    const plan = look([...lost, ...times(100, (index) => succeeded(500 + index, NOW + 900))], {}, { ...perIndex, ...many })
    expect(plan.run).toMatchObject({ failedIndexes: '0-99', counted: [], indexFailures: {} })
    const again = look(lost, plan.run, { ...perIndex, ...many })
    expect(again.forget).toHaveLength(400)
    expect(again.run).toMatchObject({ failedIndexes: '0-99', failures: plan.run.failures })
  })

  it('that were only told to stop go without a trace in the counts', () => {
    const plan = look(times(400, (index) => stopped(index, NOW + index)))
    expect(plan.forget).toHaveLength(300)
    expect(plan.run).toMatchObject({ succeeded: '', failures: 0, counted: [] })
  })

  it('of a Global run go too, but those that say which machine is done', () => {
    const spec = runSpec({ mode: 'Global', backoffLimit: 1000 })
    const done = times(300, (index) => succeeded(`m${index}`, NOW + index))
    const bad = times(200, (index) => failed('m300', 1, NOW + index))
    const plan = step([...done, ...bad], { spec, machines: times(301, (index) => `m${index}`) })
    expect(without([...done, ...bad], plan)).toEqual(expect.arrayContaining(done))
    expect(plan.forget).toHaveLength(93)
    expect(plan.run.failures).toBe(93)
    const next = step(without([...done, ...bad], plan), { spec, before: plan.run, machines: times(301, (index) => `m${index}`) })
    expect(next.run.failures).toBe(93)
  })
})

describe('ended tasks of a run that is over', () => {
  it('are the newest 100 from then on', () => {
    const spec = runSpec({ completions: 400, parallelism: 400 })
    const tasks = times(400, (index) => succeeded(index, NOW + index))
    const plan = step(tasks, { spec })
    expect(plan.run).toMatchObject({ phase: 'Succeeded', succeeded: '0-399' })
    expect(without(tasks, plan)).toEqual(tasks.slice(300))
    const after = step([...tasks.slice(300), ...times(60, (index) => stopped(index, NOW + 500))], { spec, before: plan.run })
    expect(after.forget).toHaveLength(60)
  })
})

describe('the record of a run of 100,000', () => {
  const whole = { completions: 100_000, parallelism: 100_000 }
  const name = 'a'.repeat(63)
  const named = (state: TaskState, index: number): TaskState => ({
    ...state,
    task: { ...state.task, id: `${name}-${String(index).padStart(10, '0')}` as typeof state.task.id },
  })

  it('fits into any store when every second number fails for good', () => {
    const spec = runSpec({ ...perIndex, ...whole, backoffLimitPerIndex: 0 })
    const tasks = times(20_000, (index) => (index % 2 === 0 ? succeeded(5 * index, NOW + index) : failed(5 * index, 1, NOW + index)))
    const { run } = step(tasks.map(named), { spec })
    expect(sizeOf(run)).toBeLessThan(MAX_VALUE_BYTES)
    expect(step([], { spec, before: run }).run.succeeded).toBe(run.succeeded)
  })

  it('fits when all that run are stopped or succeed at once', () => {
    const tasks = times(20_000, (index) => (index % 2 === 0 ? succeeded(index) : stopped(index)))
    expect(sizeOf(step(tasks.map(named), { spec: runSpec(whole) }).run)).toBeLessThan(MAX_VALUE_BYTES)
  })

  it('fits when each number fails again and again, with much to say', () => {
    const spec = runSpec({ ...perIndex, ...whole, backoffLimitPerIndex: 1000 })
    const words = { message: 'because '.repeat(100) }
    const bad = times(9000, (index) => failed(index % 1000, 1, NOW + index)).map(({ task, observed }, index) =>
      named(of(task.slot, { ...observed, attempts: (observed?.attempts ?? []).map((one) => ({ ...one, ...words })) }), index),
    )
    const plan = step([...bad, ...times(10, (index) => running(2000 + index))], { spec })
    expect(plan.forget).toHaveLength(1900)
    expect(sizeOf(plan.run)).toBeLessThan(MAX_VALUE_BYTES)
  })
})
