import { afterEach, describe, expect, it } from 'vitest'
import { workloadHealth } from '../../../src/core/health.ts'
import { DeploymentFleet } from './fleet.ts'

const SECOND = 1_000
const fleets: DeploymentFleet[] = []
afterEach(() => {
  for (const fleet of fleets.splice(0)) expect(fleet.broken).toEqual([])
})

function fleet(spec: object, machines = 3, room = 10): DeploymentFleet {
  const made = new DeploymentFleet(spec, machines, room)
  fleets.push(made)
  return made
}

const template = (unreachable: object) => ({ template: { spec: { containers: [{ name: 'main', image: 'a:1' }], unreachable } } })
const healthOf = ({ state, now }: DeploymentFleet) => workloadHealth(state, now)
const codes = (one: DeploymentFleet) => healthOf(one).reasons.map(({ code }) => code)

describe('a machine that falls silent', () => {
  it('serves nobody after 40 s, and is replaced after 60: its task is told to stop once another has a machine', () => {
    const web = fleet({ replicas: 2 }, 3, 1)
    expect(web.told).toEqual(['web-1 node-1 run', 'web-2 node-2 run'])
    web.silence('node-1').after(40 * SECOND)
    expect(healthOf(web)).toMatchObject({ health: 'Progressing', desired: 2, ready: 1 })
    expect(codes(web)).toEqual(['AgentUnreachable'])
    expect(web.wakeAt).toBe(web.now + 20 * SECOND)
    web.after(19 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 run', 'web-2 node-2 run'])
    web.after(SECOND)
    expect(web.told).toEqual(['web-1 node-1 stop', 'web-2 node-2 run', 'web-3 node-3 run'])
    expect(web.state.tasks.find(({ task }) => task.id === 'web-1')?.task.stopReason).toBe('AgentUnreachable')
    expect(healthOf(web.allReady())).toMatchObject({ health: 'Healthy', ready: 2 })
  })

  it('has lost after five minutes what it was told to stop', () => {
    const web = fleet({ replicas: 1 }, 2)
      .silence('node-1')
      .after(60 * SECOND)
    expect(web.wakeAt).toBe(web.now + 240 * SECOND)
    web.after(239 * SECOND)
    expect(web.state.tasks.find(({ task }) => task.id === 'web-1')?.observed?.phase).toBe('Running')
    web.after(SECOND)
    expect(web.state.tasks.find(({ task }) => task.id === 'web-1')?.observed).toMatchObject({
      phase: 'Lost',
      reasons: [{ code: 'AgentUnreachable' }],
    })
  })

  it('keeps its task while no other machine has room, and goes on with it when it is back', () => {
    const web = fleet({ replicas: 2 }, 2, 1)
      .silence('node-1')
      .after(600 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 run', 'web-2 node-2 run', 'web-3 - run'])
    web.return('node-1')
    expect(web.told).toEqual(['web-1 node-1 run', 'web-2 node-2 run'])
    expect(healthOf(web).health).toBe('Healthy')
  })

  it('stops what was replaced when it is back, and the successor stays', () => {
    const web = fleet({ replicas: 1 }, 2)
      .silence('node-1')
      .after(60 * SECOND)
      .allReady()
      .return('node-1')
      .allReady()
    expect(web.told).toEqual(['web-2 node-2 run'])
  })

  it('is waited for without end where the template says so, which is an alarm', () => {
    const web = fleet({ replicas: 1, ...template({ replaceAfterSeconds: 'Never' }) }, 2)
      .silence('node-1')
      .after(3600 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 run'])
    expect(web.wakeAt).toBeNull()
    expect(healthOf(web).health).toBe('Degraded')
  })

  it('is replaced after as long as the template says', () => {
    const web = fleet({ replicas: 1, ...template({ replaceAfterSeconds: 600 }) }, 2)
      .silence('node-1')
      .after(599 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 run'])
    expect(web.after(SECOND).told, 'and it is lost by then, too').toEqual(['web-2 node-2 run'])
  })

  it('is not replaced in a storm, and is when that is over', () => {
    const web = fleet({ replicas: 1 }, 2).silence('node-1')
    web.paused = true
    web.after(3600 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 run'])
    expect(healthOf(web).health).toBe('Degraded')
    expect(codes(web)).toContain('ReplacementPaused')
    web.paused = false
    expect(web.settle().told).toContain('web-2 node-2 run')
  })

  it('gives way in a rollout to the new version, and counts as no server in its budget', () => {
    const web = fleet({ replicas: 3, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }, 5, 1)
    web
      .silence('node-1')
      .after(45 * SECOND)
      .template('next')
    const serving = web.wanted.filter(({ task, observed }) => task.agent !== 'node-1' && observed?.ready === true)
    expect(serving, 'of three one is missing already').toHaveLength(2)
    web
      .allReady()
      .after(600 * SECOND)
      .allReady()
    expect(new Set(web.wanted.map(({ task }) => task.templateDigest)).size).toBe(1)
    expect(healthOf(web)).toMatchObject({ health: 'Healthy', ready: 3 })
  })

  it('keeps a Recreate from starting the next version until its task counts as lost', () => {
    const web = fleet({ replicas: 1, strategy: { type: 'Recreate' } }, 2)
      .silence('node-1')
      .after(45 * SECOND)
      .template('next')
    expect(web.told).toEqual(['web-1 node-1 stop'])
    web.after(250 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 stop'])
    web.after(5 * SECOND)
    expect(web.told).toEqual(['web-2 node-2 run'])
  })
})

describe('a machine that is drained', () => {
  it('keeps its task until another serves in its place', () => {
    const web = fleet({ replicas: 1 }, 2).drain('node-1', 600 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 run', 'web-2 node-2 run'])
    expect(codes(web)).toEqual(['Draining'])
    web.allReady()
    expect(web.told).toEqual(['web-2 node-2 run'])
    expect(healthOf(web)).toMatchObject({ health: 'Healthy', ready: 1 })
  })

  it('loses no more at a time than maxUnavailable where none may be beside', () => {
    const web = fleet({ replicas: 3, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }, 2)
    web.drain('node-1', 600 * SECOND)
    expect(web.told).toEqual(['web-1 node-1 stop', 'web-2 node-1 run', 'web-3 node-1 run', 'web-4 node-2 run'])
    web.allReady()
    expect(web.told).toEqual(['web-4 node-2 run', 'web-5 node-2 run', 'web-6 node-2 run'])
  })

  it('stops what has not left it by the deadline', () => {
    const web = fleet({ replicas: 2 }, 1).drain('node-1', 60 * SECOND)
    expect(web.wanted.filter(({ task }) => task.agent === 'node-1')).toHaveLength(2)
    expect(web.wakeAt).toBeLessThanOrEqual(web.now + 60 * SECOND)
    web.after(60 * SECOND)
    expect(web.wanted.filter(({ task }) => task.agent === 'node-1')).toEqual([])
    expect(web.state.tasks.find(({ task }) => task.id === 'web-1')?.task.stopReason).toBe('Drained')
  })

  it('stops at the deadline also what nothing is heard of', () => {
    const web = fleet({ replicas: 1, ...template({ replaceAfterSeconds: 'Never' }) }, 2)
    web
      .silence('node-1')
      .after(45 * SECOND)
      .drain('node-1', 60 * SECOND)
      .after(60 * SECOND)
    expect(web.told).toContain('web-1 node-1 stop')
  })

  it('takes its tasks back when the drain is taken back before they left', () => {
    const web = fleet({ replicas: 1 }, 2)
      .drain('node-1', 600 * SECOND)
      .uncordon('node-1')
      .allReady()
    expect(web.told).toEqual(['web-1 node-1 run'])
  })

  it('keeps what belongs to it: the task of a Global Deployment', () => {
    const web = fleet({ mode: 'Global' }, 2)
    expect(web.drain('node-1', 0).after(600 * SECOND).told).toEqual(['web-1 node-1 run'])
  })

  it('is left also by what a failed rollout keeps serving', () => {
    const web = fleet({ replicas: 2, onFailure: 'Hold', progressDeadlineSeconds: 10 }, 3)
    web.template('bad').after(11 * SECOND)
    expect(web.state.rollouts[0]?.state.phase).toBe('Failed')
    const good = web.wanted.filter(({ observed }) => observed?.ready === true)
    expect(good).toHaveLength(2)
    web.drain('node-1', 600 * SECOND).allReady()
    const left = web.wanted.filter(({ task }) => task.agent === 'node-1')
    expect(left.map(({ task }) => task.id)).toEqual([])
    expect(web.wanted.filter(({ observed }) => observed?.ready === true).length).toBeGreaterThanOrEqual(2)
  })
})
