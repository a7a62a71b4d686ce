import { describe, expect, it } from 'vitest'
import { CALM_AFTER } from '../../../src/core/restart.ts'
import { rolloutFacts } from '../../../src/core/rollout/facts.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import type { Observed } from '../../../src/model/task.ts'
import { attempt, deploymentState, digest, NOW, taskState } from '../../support/make.ts'
import { rollout, specOf } from './make.ts'

const RUNNING = { phase: 'Running', ready: true } as const

function crashing(said: Partial<Observed>[], now = NOW + 1000) {
  const to = { inputsDigest: digest('inputs'), templateDigest: digest('new'), revision: 'main' }
  const tasks = said.map((one, index) => taskState({ id: `t-${index}` as TaskId }, { updatedAt: NOW, ...one }))
  return rolloutFacts(deploymentState({}, { tasks }), specOf(), { rollout: rollout({ to }), now }).crashing
}

/** Ended that long after it began. */
const ended = (number: number, ranFor: number) => attempt(number, 1, NOW + ranFor)

describe('a crash loop', () => {
  it.each<[string, Partial<Observed>[], number]>([
    ['one end is none', [{ ...RUNNING, attempts: [ended(1, 0)], failures: 1 }], 0],
    ['two ends are one', [{ ...RUNNING, attempts: [ended(1, 0), ended(2, 0)], failures: 2 }], 1],
    [
      'two ends with long runs before them are none',
      [{ ...RUNNING, attempts: [ended(1, CALM_AFTER), ended(2, CALM_AFTER)], failures: 2 }],
      0,
    ],
    ['two tasks that were refused are one', [{ phase: 'Rejected' }, { phase: 'Rejected' }], 2],
    ['one refused long ago and one now are none', [{ phase: 'Rejected', updatedAt: NOW - CALM_AFTER }, { phase: 'Rejected' }], 0],
    ['two ends and a long run since are none', [{ ...RUNNING, readySince: NOW - CALM_AFTER, attempts: [ended(1, 0), ended(2, 0)] }], 0],
    ['a greeting tells only how many', [{ ...RUNNING, failures: 2 }], 1],
  ])('%s', (_name, said, count) => {
    expect(crashing(said)).toHaveLength(count)
  })

  it('tells how the last attempt ended, also while the next one runs', () => {
    const [evidence] = crashing([{ ...RUNNING, attempt: 3, attempts: [ended(1, 0), ended(2, 0)], failures: 2, lastLines: ['boom'] }])
    expect(evidence).toMatchObject({ attempt: 2, code: 'Error', message: 'ended with exit code 1', exitCode: 1, lastLines: ['boom'] })
  })
})
