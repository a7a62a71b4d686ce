import { describe, expect, it } from 'vitest'
import { goodNow } from '../../../src/core/rollout/follow.ts'
import { deploymentState, deploymentVersion, digest } from '../../support/make.ts'
import { Decider } from '../decide.ts'

const gated = (steps: object[]) => ({ replicas: 4, strategy: { canary: { steps, autoPromote: false } } })
const TWO = [
  { replicas: 1, manual: true },
  { replicas: 2, manual: true },
]

/** The same template with other numbers: a commit of them alone. */
function recommit(decider: Decider, spec: object, word: string): Decider {
  const { record, rollouts } = decider.state
  const inputsDigest = digest(word)
  const after = { ...record, good: goodNow(record, rollouts), inputsDigest, generation: record.generation + 1 }
  const fallback = after.good === null ? null : { target: after.good, slots: decider.state.slots }
  decider.state = { ...decider.state, version: deploymentVersion(spec), record: after, fallback }
  return decider.decide()
}

const standing = ({ state }: Decider) => state.rollouts[0]?.state
const updated = ({ live }: Decider, word: string) => live.filter(({ task }) => task.templateDigest === digest(word)).length

describe('a commit that leaves the template alone', () => {
  const atGate = () => new Decider(deploymentState(gated(TWO))).decide().allReady().after(4000).template('newer').allReady()

  it('opens no gate of its canaries', () => {
    const decider = atGate()
    expect(standing(decider)).toMatchObject({ phase: 'Paused', step: 0 })
    recommit(decider, { ...gated(TWO), progressDeadlineSeconds: 300 }, 'other numbers').allReady()
    expect(standing(decider)).toMatchObject({ phase: 'Paused', step: 0, until: null })
    expect([updated(decider, 'newer'), updated(decider, 'new')]).toEqual([1, 4])
  })

  it('stays at the step that was reached, or at the last where there are fewer', () => {
    const decider = atGate()
    const [newest, ...older] = decider.state.rollouts
    if (newest === undefined) throw new Error('a rollout')
    decider.state = { ...decider.state, rollouts: [{ ...newest, state: { phase: 'Paused', step: 1, until: null } }, ...older] }
    decider.decide().allReady()
    expect(updated(decider, 'newer')).toBe(2)
    recommit(decider, { ...gated(TWO), progressDeadlineSeconds: 300 }, 'other numbers')
    expect(standing(decider)).toMatchObject({ phase: 'Paused', step: 1 })
    recommit(decider, gated([{ replicas: 2, manual: true }]), 'one step')
    expect(standing(decider)).toMatchObject({ phase: 'Paused', step: 0 })
  })

  it('goes on where all was promoted already, and asks nothing where all was rolled out', () => {
    const decider = atGate()
    const [newest, ...older] = decider.state.rollouts
    if (newest === undefined) throw new Error('a rollout')
    const state = { phase: 'Rolling' as const, step: null, best: 1, progressAt: decider.now }
    decider.state = { ...decider.state, rollouts: [{ ...newest, state }, ...older] }
    recommit(decider, { ...gated(TWO), progressDeadlineSeconds: 300 }, 'other numbers')
    expect(standing(decider)).toMatchObject({ phase: 'Rolling', step: null })
    for (let turns = 0; turns < 6; turns += 1) decider.allReady().after(4000)
    recommit(decider, { ...gated(TWO), progressDeadlineSeconds: 200 }, 'numbers again')
    expect(standing(decider)?.phase).toBe('Complete')
  })
})
