import { describe, expect, it } from 'vitest'
import { actionFor, countedFailures } from '../../../src/core/batch/failure-policy.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { FailureRule } from '../../../src/model/batch.ts'
import { attempt, NOW } from '../../support/make.ts'
import { failed, of } from './make.ts'

const policy = (...rules: FailureRule[]) => ({ taskFailurePolicy: { rules } })
const codes = (action: FailureRule['action'], operator: 'In' | 'NotIn', ...values: number[]): FailureRule => ({
  action,
  onExitCodes: { operator, values },
})
const reasons = (action: FailureRule['action'], ...onReasons: string[]): FailureRule => ({ action, onReasons })

const rejected = of(0, { phase: 'Rejected', reasons: [{ code: 'PortInUse', message: 'port 80', count: 1 }] })
const lost = of(0, { phase: 'Lost', attempts: [] })
const killed = of(0, { phase: 'Failed', failures: 1, attempts: [{ ...attempt(1, 137), reason: 'OOMKilled' }] })
const unknown = of(0, { phase: 'Lost', failures: 1, attempts: [attempt(1, null)] })
const ended = (reason: string) => ({ ...attempt(1, null), reason })
const second = of(0, { phase: 'Failed', failures: 2, attempts: [attempt(1, 3), attempt(2, 4, NOW + 1)] })

describe('what a failed task means for its run', () => {
  const table: [string, FailureRule[], TaskState, FailureRule['action']][] = [
    ['no rule: it counts', [], failed(0, 3), 'Count'],
    ['no rule that fits: it counts', [codes('FailJob', 'In', 4)], failed(0, 3), 'Count'],
    ['its exit code is named', [codes('FailJob', 'In', 3, 4)], failed(0, 3), 'FailJob'],
    ['its exit code is not among others', [codes('Ignore', 'NotIn', 4)], failed(0, 3), 'Ignore'],
    ['its exit code is among those excepted', [codes('Ignore', 'NotIn', 3)], failed(0, 3), 'Count'],
    ['the first that fits', [codes('FailIndex', 'In', 3), codes('FailJob', 'In', 3)], failed(0, 3), 'FailIndex'],
    ['a rule may say that it counts, before another', [codes('Count', 'In', 3), codes('Ignore', 'NotIn', 1)], failed(0, 3), 'Count'],
    ['the attempt that ended it', [codes('Ignore', 'In', 3), codes('FailJob', 'In', 4)], second, 'FailJob'],
    ['its reason is named', [reasons('Ignore', 'Evicted', 'OOMKilled')], killed, 'Ignore'],
    ['an exit code that nobody knows is none of them', [codes('FailJob', 'NotIn', 1)], unknown, 'Count'],
    ['one that never started has no exit code', [codes('FailJob', 'NotIn', 1)], rejected, 'Count'],
    ['one that never started has the reason that its machine gave', [reasons('Ignore', 'PortInUse')], rejected, 'Ignore'],
    ['one that is lost without a word is just that', [reasons('FailJob', 'Lost')], lost, 'FailJob'],
  ]
  it.each(table)('%s', (_, rules, task, action) => expect(actionFor(rules.length === 0 ? {} : policy(...rules), task)).toBe(action))
})

describe('how many failed attempts of a task a limit counts', () => {
  const ignore = policy(codes('Ignore', 'In', 3))
  const table: [string, TaskState, number][] = [
    ['none of one that runs', of(0, { phase: 'Running' }), 0],
    ['each that was restarted in place', of(0, { phase: 'Preparing', failures: 2 }), 2],
    ['also of one that succeeded at last', of(0, { phase: 'Succeeded', failures: 2 }), 2],
    ['all of one that failed', of(0, { phase: 'Failed', failures: 3, attempts: [attempt(3, 1)] }), 3],
    ['one of a task that never came to an attempt', rejected, 1],
    ['D1: none of a task whose runtime failed and not it', of(0, { phase: 'Failed', failures: 0, attempts: [ended('RuntimeRestart')] }), 0],
    ['A2: none of a task whose machine failed and not it', of(0, { phase: 'Lost', failures: 0, attempts: [ended('HostReboot')] }), 0],
    ['those before it of a task whose machine failed', of(0, { phase: 'Lost', failures: 2, attempts: [ended('HostReboot')] }), 2],
    ['one of a task that is lost and nobody knows why', of(0, { phase: 'Lost', failures: 0, attempts: [attempt(1, null)] }), 1],
    ['none that a rule ignores', failed(0, 3), 0],
    ['none of one that was told to stop', of(0, { phase: 'Stopped' }), 0],
  ]
  it.each(table)('%s', (_, task, count) => expect(countedFailures(ignore, task)).toBe(count))
})
