import { describe, expect, it } from 'vitest'
import { leavingTasks } from '../../../src/core/batch/leave.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import { AGENT, attempt, jobState, NOW } from '../../support/make.ts'
import { Decider } from '../decide.ts'
import { MINUTE, of, runSpec, times } from './make.ts'

const waits = { template: { spec: { containers: [{ name: 'main', image: 'a:1' }], unreachable: { replaceAfterSeconds: 120 } } } }
const running = (spec: object = {}) => new Decider(jobState(spec)).decide().say('migrate-1', { phase: 'Running', ready: true })
const drained = (decider: Decider, at: number) => {
  decider.state = { ...decider.state, machines: { ...decider.state.machines, drains: new Map([[AGENT, at]]) } }
  return decider.decide()
}
const silent = (decider: Decider, ms: number) => {
  decider.state = { ...decider.state, machines: { ...decider.state.machines, silent: new Map([[AGENT, ms]]) } }
  return decider.decide()
}

describe('a machine that is drained', () => {
  it('keeps a task of a run until the deadline, and then the run goes on elsewhere without a failure', () => {
    const decider = drained(running({ backoffLimit: 0 }), NOW + 5 * MINUTE)
    expect(decider.ids).toEqual(['migrate-1'])
    expect(decider.last.wakeAt).toBe(NOW + 5 * MINUTE)
    decider.after(5 * MINUTE)
    expect(decider.state.tasks[0]?.task).toMatchObject({ desired: 'stop', stopReason: 'Drained' })
    expect(decider.ids, 'nothing is tried elsewhere while it still ends').toEqual([])
    decider.say('migrate-1', { phase: 'Stopped', attempts: [{ ...attempt(1, 143), reason: 'Stopped' }] })
    expect(decider.ids).toEqual(['migrate-2'])
    decider.say('migrate-2', { phase: 'Succeeded', attempts: [attempt(1, 0)] })
    expect(decider.run).toMatchObject({ phase: 'Succeeded', failures: 0 })
    expect(decider.run?.attempts.map(({ task, reason }) => [task, reason])).toContainEqual(['migrate-1', 'Drained'])
  })

  it('lets a task end that does so in time', () => {
    const decider = drained(running(), NOW + MINUTE).say('migrate-1', { phase: 'Succeeded', attempts: [attempt(1, 0)] })
    expect(decider.run).toMatchObject({ phase: 'Succeeded' })
    expect(decider.after(MINUTE).acts).toEqual([])
  })
})

describe('a machine that is silent', () => {
  it('is waited for without end unless the Job says for how long', () => {
    expect(silent(running(), 30 * 24 * 60 * MINUTE).acts).toEqual([])
  })

  it('loses its task after that long, which counts as a failure and is tried elsewhere', () => {
    const decider = silent(running(waits), MINUTE)
    expect(decider.acts).toEqual([])
    expect(decider.last.wakeAt).toBe(NOW + MINUTE)
    silent(decider, 2 * MINUTE)
    expect(decider.state.tasks[0]?.observed).toMatchObject({ phase: 'Lost', agent: AGENT, reasons: [{ code: 'AgentUnreachable' }] })
    expect(decider.ids).toEqual(['migrate-2'])
  })

  it('loses all of a run of 100,000 at once, and is waited for with all of them', () => {
    const machines = (ms: number) => ({ drains: new Map(), silent: new Map([[AGENT, ms]]), replacement: 'Go' as const })
    const one = of(0, { phase: 'Running' })
    const tasks = times(100_000, () => one)
    const leaving = (ms: number) => leavingTasks(tasks, machines(ms), { spec: runSpec(waits), now: NOW })
    expect(leaving(MINUTE)).toMatchObject({ lost: [], wakeAt: NOW + MINUTE })
    expect(leaving(2 * MINUTE).lost).toHaveLength(100_000)
  })

  it('loses no task without a machine, nor one that ended', () => {
    const decider = silent(running(waits).say('migrate-1', { phase: 'Succeeded', attempts: [attempt(1, 0)] }), 5 * MINUTE)
    expect(decider.run).toMatchObject({ phase: 'Succeeded' })
    expect(decider.state.machines.silent.get('other' as AgentId)).toBeUndefined()
  })
})
