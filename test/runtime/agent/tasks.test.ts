import { describe, expect, it } from 'vitest'
import { type AssignmentsFrame, isStale, orphans, taskChanges } from '../../../runtime/tasks.ts'
import { type AgentTask, initialState } from '../../../src/core/task-life.ts'
import type { Epoch, TaskId } from '../../../src/model/ids.ts'
import { fakeSpec } from './world.ts'

const spec = fakeSpec()
const order = (task: string, generation: number) => ({ task: task as TaskId, generation, desired: 'run' as const, spec })
const known = new Map(
  [
    ['a', 3],
    ['b', 3],
  ].map(([task, generation]) => [task as TaskId, generation as number]),
)

function frame(full: boolean, tasks: AssignmentsFrame['tasks'], gone: string[] = []): AssignmentsFrame {
  return { type: 'assignments', epoch: 1 as Epoch, full, tasks, gone: gone as TaskId[] }
}

const named = (changes: ReturnType<typeof taskChanges>) => ({
  start: changes.start.map((one) => one.task),
  update: changes.update.map((one) => one.task),
  leave: changes.leave,
})

describe('the changes that orders ask for', () => {
  it.each([
    ['a delta with a new task starts it', frame(false, [order('c', 1)]), { start: ['c'], update: [], leave: [] }],
    ['a higher generation updates', frame(false, [order('a', 4)]), { start: [], update: ['a'], leave: [] }],
    ['an equal one is a repeat', frame(false, [order('a', 3)]), { start: [], update: [], leave: [] }],
    ['a lower one is late', frame(false, [order('a', 2)]), { start: [], update: [], leave: [] }],
    ['a delta leaves the others alone', frame(false, []), { start: [], update: [], leave: [] }],
    ['a full set leaves what it does not name', frame(true, [order('a', 3)]), { start: [], update: [], leave: ['b'] }],
    ['an empty full set leaves all', frame(true, []), { start: [], update: [], leave: ['a', 'b'] }],
    ['what is gone goes', frame(false, [], ['b']), { start: [], update: [], leave: ['b'] }],
    ['what is gone and named goes', frame(true, [order('a', 9), order('c', 1)], ['a', 'c']), { start: [], update: [], leave: ['b', 'a'] }],
    ['what is gone and unknown is nothing', frame(false, [], ['z']), { start: [], update: [], leave: [] }],
  ])('%s', (_name, orders, expected) => {
    expect(named(taskChanges(orders, known))).toEqual(expected)
  })
})

it('takes the orders of a leader only if none newer was heard of', () => {
  expect([0, 1, 2].map((highest) => isStale(frame(true, []), highest as Epoch))).toEqual([false, false, true])
})

describe('an orphan', () => {
  const [a, z] = ['a' as TaskId, 'z' as TaskId]
  const rule = { restartPolicy: 'Always', maxRestarts: null } as const
  const state = (over: Partial<AgentTask>): AgentTask => ({ ...initialState({ task: a, rule, desired: 'run', found: null }), ...over })
  const stopped = { phase: 'Ended', as: 'Stopped' } as const

  it.each([
    ['belongs to no task that is known', z, state({}), 'orphan'],
    ['is nothing of a task that goes on, whatever its attempt', a, state({}), 'kept'],
    ['is nothing that a task left behind', a, state({ life: stopped, leftovers: [{ attempt: 9, ref: null, stuck: false }] }), 'kept'],
    ['is what a task that ended never heard of', a, state({ life: stopped }), 'orphan'],
  ])('%s', (_, task, known, verdict) => {
    const refs = [{ task, attempt: 9 }]
    expect(orphans(refs, new Map([[a, known]]))).toEqual(verdict === 'orphan' ? refs : [])
  })
})
