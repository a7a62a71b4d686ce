import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nextStep, onResult, type Step, type TaskEvent } from '../../src/core/task.ts'
import { type AgentTask, initialState, statusOf } from '../../src/core/task-life.ts'
import type { TaskId } from '../../src/model/ids.ts'
import { mayFollow, TaskStatus, TERMINAL } from '../../src/model/task.ts'

const rule = fc.record({
  restartPolicy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
  maxRestarts: fc.constantFrom(null, 0, 1, 3),
})
/** One turn: what the driver answers (a choice among the honest ones), what comes between, how long it takes. */
const turn = fc.record({
  choice: fc.nat(9),
  between: fc.constantFrom(null, null, null, null, 'agentRestarted' as const, 'stop' as const, 'gone' as const),
  ms: fc.constantFrom(0, 10, 5_000, 700_000),
})

/** What the machine holds, kept apart from the state under test. */
interface Machine {
  readonly started: number[]
  readonly ended: number[]
}

const UNWELL = { code: 'ProbeFailed', message: 'it does not answer', count: 1 }
const failure = (retryable: boolean) => ({ retryable, code: 'Failing', message: 'it fails' })

function answer(step: Step, machine: Machine, { choice, now }: { choice: number; now: number }): TaskEvent | null {
  const exit = {
    exitCode: choice % 3,
    signal: null,
    reason: choice % 3 === 0 ? 'Completed' : 'Error',
    startedAt: null,
    finishedAt: now,
    peakMemoryBytes: null,
  }
  const last = machine.started.at(-1) ?? 0
  switch (step.type) {
    case 'prepare':
      return choice < 7 ? { type: 'prepared', images: {} } : { type: 'prepareFailed', failure: failure(choice < 9) }
    case 'start':
      if (choice === 9) return { type: 'startNotCalled', failure: failure(true) }
      if (choice === 8) return { type: 'startFailed', failure: failure(false) }
      if (choice === 7) return { type: 'startFailed', failure: failure(true) }
      machine.started.push(step.attempt)
      return choice === 6 ? { type: 'startFailed', failure: failure(true) } : { type: 'started', ref: 'r', ready: choice > 3 }
    case 'recover':
      if (choice === 9) return { type: 'stepFailed', failure: failure(true) }
      if (last !== step.attempt) return { type: 'neverStarted' }
      if (choice < 7) return { type: 'attached', ref: 'r' }
      machine.ended.push(step.attempt)
      return { type: 'goneMissing' }
    case 'wait':
      if (choice === 9) return { type: 'stepFailed', failure: failure(true) }
      if (choice === 8) return { type: 'unhealthy', reason: UNWELL, lastLines: [] }
      if (choice > 5) return step.known.ready ? { type: 'unready', reason: UNWELL, lastLines: [] } : { type: 'ready' }
      if (choice === 5) return { type: 'startupPassed' }
      machine.ended.push(step.attempt)
      return { type: 'exited', exit, lastLines: [] }
    case 'stop':
      if (choice === 9) return { type: 'stepFailed', failure: failure(true) }
      machine.ended.push(step.attempt)
      return { type: 'stopped', exit, lastLines: [] }
    case 'backOff':
      return { type: 'due' }
    case 'remove':
      return choice === 9
        ? { type: 'removeFailed', attempt: step.attempt, failure: failure(true) }
        : { type: 'removed', attempt: step.attempt }
    default:
      return null
  }
}

it('whatever the driver answers: one start and one record per attempt, and no status that goes back', () => {
  fc.assert(
    fc.property(rule, fc.array(turn, { minLength: 1, maxLength: 60 }), (restart, turns) => {
      const machine: Machine = { started: [], ended: [] }
      const recorded: number[] = []
      let now = 1_000_000
      let state: AgentTask = initialState({ task: 't' as TaskId, rule: restart, desired: 'run', found: null })

      const apply = (event: TaskEvent): void => {
        const before = state
        state = onResult(before, event, now)
        const [older, newer] = [statusOf(before), statusOf(state)]
        TaskStatus.parse(newer)
        const final = TERMINAL.has(older.phase)
        if (final && state.life.phase !== 'Removed') expect(newer.phase).toBe(older.phase)
        if (!final) expect(mayFollow(older, newer), `${JSON.stringify(older)} then ${JSON.stringify(newer)}`).toBe(true)
        if (newer.failures !== older.failures) expect(newer.failures).toBe(older.failures + 1)
        const fresh = state.records.filter((record) => !before.records.some((old) => old.attempt === record.attempt))
        recorded.push(...fresh.map((record) => record.attempt))
      }

      for (const { choice, between, ms } of turns) {
        const step = nextStep(state, now)
        if (step.type === 'start') expect(machine.started).not.toContain(step.attempt)
        const event = answer(step, machine, { choice, now })
        now += ms
        if (event !== null) apply(event)
        if (between === 'agentRestarted') apply({ type: 'agentRestarted' })
        else if (between !== null) apply({ type: 'assigned', desired: between, rule: restart })
      }
      expect(recorded).toEqual(machine.ended)
      expect(new Set(recorded).size).toBe(recorded.length)
    }),
    { numRuns: 2_000 },
  )
})

it('once it is told to go, and the driver works again, nothing is left within a bounded number of steps', () => {
  fc.assert(
    fc.property(rule, fc.array(turn, { maxLength: 40 }), (restart, turns) => {
      const machine: Machine = { started: [], ended: [] }
      let now = 1_000_000
      let state: AgentTask = initialState({ task: 't' as TaskId, rule: restart, desired: 'run', found: null })
      const step = (choice: number): void => {
        const event = answer(nextStep(state, now), machine, { choice, now })
        if (event !== null) state = onResult(state, event, now)
      }
      for (const { choice, ms } of turns) {
        now += ms
        step(choice)
      }
      state = onResult(state, { type: 'assigned', desired: 'gone', rule: restart }, now)
      for (let round = 0; round < 30; round += 1) step(0)
      expect(nextStep(state, now).type).toBe('forget')
    }),
    { numRuns: 500 },
  )
})
