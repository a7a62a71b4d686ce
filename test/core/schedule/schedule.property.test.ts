import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fits } from '../../../src/core/schedule/reasons.ts'
import { schedule } from '../../../src/core/schedule/schedule.ts'
import type { AgentView, PendingGroup, Placement, Requirements, ScheduleRequest } from '../../../src/core/schedule/types.ts'
import { request } from './arbitrary.ts'
import { allows, apply, capacityAllows, labelsAllow, worldOf } from './naive.ts'

const RUNS = { numRuns: 1500 }

const groupOf = ({ pending }: ScheduleRequest, task: string): PendingGroup =>
  pending.find(({ tasks }) => tasks.some(({ id }) => id === task)) as PendingGroup
const agentOf = ({ agents }: ScheduleRequest, id: string): AgentView => agents.find((agent) => agent.id === id) as AgentView

function withPlaced(agent: AgentView, { requirements }: PendingGroup, placed: readonly Placement[]): AgentView {
  const here = placed.filter((placement) => placement.agent === agent.id)
  const { cpuMillis, memoryBytes, ports, tasks } = agent.used
  const used = {
    cpuMillis: cpuMillis + here.length * requirements.cpuMillis,
    memoryBytes: memoryBytes + here.length * requirements.memoryBytes,
    ports: new Set([...ports, ...here.flatMap((placement) => Object.values(placement.ports))]),
    tasks: tasks + here.length,
  }
  return { ...agent, used }
}

/** Requests of which the groups fall into two classes, which then take turns on the same agents. */
const twoClasses: fc.Arbitrary<ScheduleRequest> = request.chain((input) =>
  fc.array(fc.boolean(), { minLength: input.pending.length, maxLength: input.pending.length }).map((large) => ({
    ...input,
    pending: input.pending.map((group, index) => ({ ...group, requirements: light(group.requirements, large[index] ? 200 : 50) })),
  })),
)
const light = ({ maxPerNode, spread }: Requirements, memoryBytes: number): Requirements => ({
  cpuMillis: 100,
  memoryBytes,
  maxPerNode,
  spread,
  fixedPorts: [],
  dynamicPorts: [],
  nodeSelector: {},
  constraints: [],
  driver: 'fake',
})

/** Replays every decision in its order against the naive rules, and returns the world after them. */
function replay(input: ScheduleRequest) {
  const result = schedule(input)
  const world = worldOf(input.agents, input.pending)
  for (const placement of result.placed) {
    const one = { group: groupOf(input, placement.task), agents: input.agents, world }
    const agent = agentOf(input, placement.agent)
    expect(allows(one, agent), `${placement.task} on ${agent.id}`).toBe(true)
    expect(apply(one, agent, placement)).toBeNull()
  }
  return { ...result, world }
}

describe('schedule', () => {
  it('decides every pending task exactly once, and binds bound tasks to their agent', () => {
    fc.assert(
      fc.property(request, (input) => {
        const { placed, unplaced } = schedule(input)
        const asked = input.pending.flatMap(({ tasks }) => tasks)
        expect([...placed, ...unplaced].map(({ task }) => task).sort()).toEqual(asked.map(({ id }) => id).sort())
        const bound = new Map(asked.map(({ id, agent }) => [id, agent]))
        for (const { task, agent } of placed) expect([null, agent]).toContain(bound.get(task))
      }),
      RUNS,
    )
  })

  it('places only where an independent reading of every rule allows it: capacity, ports, labels, maxPerNode, skew', () => {
    fc.assert(
      fc.property(request, (input) => {
        replay(input)
      }),
      RUNS,
    )
  })

  it('leaves a task unplaced only when it fits nowhere at the end (no spread), or when no agent keeps the skew', () => {
    fc.assert(
      fc.property(request, (input) => {
        const { unplaced, world } = replay(input)
        for (const { task } of unplaced) {
          const group = groupOf(input, task)
          const target = group.tasks.find(({ id }) => id === task)?.agent
          const candidates = input.agents.filter(({ id }) => target === null || target === id)
          if (target !== null && group.requirements.spread.length > 0) continue
          for (const agent of candidates) expect(allows({ group, agents: input.agents, world }, agent)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('does so with two spread keys, where a domain over its skew may be allowed again later', () => {
    const spread = [
      { key: 'zone', maxSkew: 1 },
      { key: 'disk', maxSkew: 1 },
    ]
    const same: Partial<Requirements> = { spread, constraints: [], nodeSelector: {}, driver: 'fake', cpuMillis: 300, fixedPorts: [] }
    const relabelled = request.map((input) => ({
      ...input,
      agents: input.agents.map((view) => ({ ...view, labels: { zone: 'a', disk: 'ssd', ...view.labels } })),
      pending: input.pending.map((group) => ({ ...group, requirements: { ...group.requirements, ...same } })),
    }))
    fc.assert(
      fc.property(relabelled, (input) => {
        const { unplaced, world } = replay(input)
        for (const { task } of unplaced) {
          const group = groupOf(input, task)
          if (group.tasks.find(({ id }) => id === task)?.agent !== null) continue
          for (const agent of input.agents) expect(allows({ group, agents: input.agents, world }, agent)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('leaves no task out that fits, and says why, when groups of two classes take turns', () => {
    fc.assert(
      fc.property(twoClasses, (input) => {
        const { unplaced, world } = replay(input)
        for (const { task, reasons } of unplaced) {
          const group = groupOf(input, task)
          expect(reasons).not.toEqual([])
          if (group.tasks.find(({ id }) => id === task)?.agent !== null) continue
          for (const agent of input.agents) expect(allows({ group, agents: input.agents, world }, agent)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('decides a batch as if each group came alone after the ones before it: what classes remember changes nothing', () => {
    fc.assert(
      fc.property(fc.oneof(request, twoClasses), (input) => {
        let agents = input.agents
        const alone = [...input.pending]
          .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
          .flatMap((group) => {
            const { placed } = schedule({ agents, pending: [group], seed: input.seed })
            agents = agents.map((agent) => withPlaced(agent, group, placed))
            return placed
          })
        expect(schedule(input).placed).toEqual(alone)
      }),
      RUNS,
    )
  })

  it('explains each unplaced task by reasons that count every agent once', () => {
    fc.assert(
      fc.property(request, (input) => {
        for (const { task, reasons } of schedule(input).unplaced) {
          const bound = groupOf(input, task).tasks.find(({ id }) => id === task)?.agent !== null
          expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(bound ? 1 : input.agents.length)
          expect(reasons.length).toBeGreaterThan(0)
          for (const { message } of reasons) expect(message).not.toMatch(/undefined|NaN|Infinity/)
        }
      }),
      RUNS,
    )
  })

  it('gives the same result whatever the order of agents, groups and tasks', () => {
    const shuffled = request.chain((input) =>
      fc
        .record({
          agents: fc.shuffledSubarray([...input.agents], { minLength: input.agents.length }),
          pending: fc.shuffledSubarray(
            input.pending.map((group) => ({ ...group, tasks: [...group.tasks].reverse() })),
            { minLength: input.pending.length },
          ),
        })
        .map((other) => ({ input, other: { ...other, seed: input.seed } })),
    )
    fc.assert(
      fc.property(shuffled, ({ input, other }) => {
        expect(schedule(other)).toEqual(schedule(input))
      }),
      RUNS,
    )
  })
})

describe('fits', () => {
  it('agrees with the naive rules on an agent as it is', () => {
    fc.assert(
      fc.property(request, (input) => {
        const world = worldOf(input.agents, [])
        for (const { requirements } of input.pending) {
          for (const agent of input.agents) {
            const expected = labelsAllow(requirements, agent) && capacityAllows(requirements, agent, world)
            expect(fits(requirements, agent) === null).toBe(expected)
          }
        }
      }),
      RUNS,
    )
  })
})
