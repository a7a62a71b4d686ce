import { describe, expect, it } from 'vitest'
import { decisionViolations, writeViolations } from '../../src/core/invariants.ts'
import type { AgentId, TaskId } from '../../src/model/ids.ts'
import type { Write } from '../../src/model/records.ts'
import type { Observed, ObservedPhase, Task } from '../../src/model/task.ts'
import { attempt, deploymentState, digest, observed, task, taskState } from '../support/make.ts'

const codes = (violations: readonly { invariant: string }[]) => violations.map(({ invariant }) => invariant)
const ofTask = (before: Partial<Task>, after: Partial<Task>) => {
  const value = task(after)
  return codes(writeViolations({ table: 'tasks', id: value.id, value }, { task: task(before), observed: undefined }))
}
const ofObserved = (before: Partial<Observed>, after: Partial<Observed>) => {
  const value = observed(after)
  return codes(writeViolations({ table: 'observed', id: value.task, value }, { task: undefined, observed: observed(before) }))
}

describe('a task', () => {
  it('may be placed once and told to stop', () => {
    expect(ofTask({ agent: null }, {})).toEqual([])
    expect(ofTask({}, { desired: 'stop', generation: 2 })).toEqual([])
  })

  it.each<[string, Partial<Task>, Partial<Task>]>([
    ['DesiredForward', { desired: 'stop' }, { desired: 'run' }],
    ['PlacedOnce', {}, { agent: 'node-2' as AgentId }],
    ['PlacedOnce', {}, { agent: null }],
    ['TaskImmutable', {}, { templateDigest: digest('other') }],
    ['GenerationForward', { generation: 3 }, { generation: 2 }],
  ])('%s', (invariant, before, after) => {
    expect(ofTask(before, after)).toEqual([invariant])
  })
})

describe('what is observed', () => {
  const phases: ObservedPhase[] = ['Preparing', 'Starting', 'Running', 'Stopping']

  it('goes forward inside an attempt, and anywhere in the next', () => {
    for (const [index, phase] of phases.entries()) {
      for (const [later, next] of phases.entries())
        expect(ofObserved({ phase }, { phase: next })).toEqual(later >= index ? [] : ['ObservedForward'])
      expect(ofObserved({ phase }, { phase: 'Preparing', attempt: 2 })).toEqual([])
      expect(ofObserved({ phase, attempt: 2 }, { phase: 'Running', attempt: 1 })).toEqual(['ObservedForward'])
    }
  })

  it.each<ObservedPhase>(['Succeeded', 'Failed', 'Stopped', 'Lost', 'Rejected'])('%s is final', (phase) => {
    expect(ofObserved({ phase }, { phase, reasons: [] })).toEqual([])
    expect(ofObserved({ phase }, { phase: phase === 'Lost' ? 'Stopped' : 'Lost' })).toEqual(['ObservedForward'])
    expect(ofObserved({ phase }, { phase: 'Running', attempt: 2 })).toEqual(['ObservedForward'])
  })

  it('has one terminal record for each attempt', () => {
    expect(ofObserved({ attempts: [attempt(1, 1)] }, { attempts: [attempt(1, 1), attempt(2, 0)] })).toEqual([])
    expect(ofObserved({ attempts: [attempt(1, 1)] }, { attempts: [attempt(1, 0)] })).toEqual(['OneTerminalRecord'])
  })
})

it('a deletion, and a first record, break nothing', () => {
  expect(writeViolations({ table: 'tasks', id: 'web-1', value: null }, { task: task({ desired: 'stop' }), observed: undefined })).toEqual(
    [],
  )
  expect(writeViolations({ table: 'tasks', id: 'web-1', value: task() }, { task: undefined, observed: undefined })).toEqual([])
})

describe('a decision', () => {
  const create = (id: string, over: Partial<Task> = {}): Write => ({
    table: 'tasks',
    id,
    value: task({ id: id as TaskId, agent: null, ...over }),
  })
  const stop = (id: string): Write => ({ table: 'tasks', id, value: task({ id: id as TaskId, desired: 'stop' }) })
  const state = deploymentState(
    { replicas: 1 },
    { tasks: [taskState({ id: 'web-1' as TaskId, templateDigest: digest('old') }, 'Running')] },
  )

  it('may add one task of surge', () => {
    expect(decisionViolations(state, [create('web-2')])).toEqual([])
  })

  it('may not go above the surge, unless it stops as many', () => {
    const twins = [create('web-2'), create('web-3', { templateDigest: digest('newer') })]
    expect(codes(decisionViolations(state, twins))).toEqual(['NeverAboveSurge'])
    expect(decisionViolations(state, [stop('web-1'), ...twins])).toEqual([])
  })

  it('may not fill a slot twice with one template', () => {
    expect(codes(decisionViolations(state, [stop('web-1'), create('web-2'), create('web-3')]))).toEqual(['OneTaskPerSlot'])
  })

  it('that starts nothing breaks nothing, however much still runs', () => {
    const tasks = ['a', 'b', 'c'].map((id) => taskState({ id: id as TaskId }, 'Running'))
    expect(decisionViolations({ ...state, tasks }, [stop('a')])).toEqual([])
  })
})
