import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fits } from '../../../src/core/schedule/reasons.ts'
import { schedule } from '../../../src/core/schedule/schedule.ts'
import type { AgentView, PendingGroup, Placement, Requirements, ScheduleRequest } from '../../../src/core/schedule/types.ts'
import type { AgentId, TaskId } from '../../../src/model/ids.ts'
import { request, tasksOf } from './arbitrary.ts'
import { allows, apply, capacityAllows, labelsAllow, worldOf } from './naive.ts'

const RUNS = { numRuns: 1500 }

const groupOf = ({ pending }: ScheduleRequest, task: TaskId): PendingGroup =>
  pending.find((group) => group.tasks.has(task) || group.bound.has(task)) as PendingGroup
/** Tasks that found no agent, with the one they were bound to. */
function leftOver(input: ScheduleRequest, placed: readonly Placement[]): { group: PendingGroup; target: AgentId | null }[] {
  const gone = new Set(placed.map(({ task }) => task))
  return input.pending.flatMap((group) =>
    tasksOf(group).flatMap((task) => (gone.has(task) ? [] : [{ group, target: group.bound.get(task) ?? null }])),
  )
}

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
  isolation: null,
})

/** Each group in a batch of its own, oldest first. */
function oneAfterTheOther(input: ScheduleRequest): Placement[] {
  let { agents } = input
  return [...input.pending]
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
    .flatMap((group) => {
      const { placed } = schedule({ ...input, agents, pending: [group] })
      agents = agents.map((agent) => withPlaced(agent, group, placed))
      return placed
    })
}

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
        expect(new Set(placed.map(({ task }) => task)).size).toBe(placed.length)
        for (const { task, agent } of placed) expect(groupOf(input, task).bound.get(task) ?? agent).toBe(agent)
        for (const group of input.pending) {
          const left = unplaced.filter((one) => one.group === group.id).reduce((sum, { count }) => sum + count, 0)
          expect(placed.filter(({ task }) => groupOf(input, task) === group).length + left).toBe(tasksOf(group).length)
        }
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
        const { placed, world } = replay(input)
        for (const { group, target } of leftOver(input, placed)) {
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
        const { placed, world } = replay(input)
        for (const { group, target } of leftOver(input, placed)) {
          if (target !== null) continue
          for (const agent of input.agents) expect(allows({ group, agents: input.agents, world }, agent)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('leaves no task out that fits, and says why, when groups of two classes take turns', () => {
    fc.assert(
      fc.property(twoClasses, (input) => {
        const { placed, unplaced, world } = replay(input)
        for (const { reasons } of unplaced) expect(reasons).not.toEqual([])
        for (const { group, target } of leftOver(input, placed)) {
          if (target !== null) continue
          for (const agent of input.agents) expect(allows({ group, agents: input.agents, world }, agent)).toBe(false)
        }
      }),
      RUNS,
    )
  })

  it('decides a batch with room for all as if each group came alone after the ones before it: what classes remember changes nothing', () => {
    fc.assert(
      fc.property(fc.oneof(request, twoClasses), (input) => {
        const alone = oneAfterTheOther(input)
        fc.pre(alone.length === input.pending.flatMap(tasksOf).length)
        expect(schedule(input)).toEqual({ placed: alone, unplaced: [], tags: input.tags })
      }),
      RUNS,
    )
  })

  it('decides so too where there is no room for all, of groups of one task, which have one turn each', () => {
    const first = (group: PendingGroup): PendingGroup => ({ ...group, tasks: new Set([...group.tasks].slice(0, 1)) })
    const ones = fc.oneof(request, twoClasses).map((input) => ({ ...input, pending: input.pending.map(first) }))
    fc.assert(
      fc.property(ones, (input) => {
        expect(schedule(input).placed).toEqual(oneAfterTheOther(input))
      }),
      RUNS,
    )
  })

  it('explains each unplaced task by reasons that count every agent once', () => {
    fc.assert(
      fc.property(request, (input) => {
        for (const { agent, reasons } of schedule(input).unplaced) {
          expect(reasons.reduce((sum, { count }) => sum + count, 0)).toBe(agent === null ? input.agents.length : 1)
          expect(reasons.length).toBeGreaterThan(0)
          for (const { message } of reasons) expect(message).not.toMatch(/undefined|NaN|Infinity/)
        }
      }),
      RUNS,
    )
  })

  it('gives the same result whatever the order of agents and groups', () => {
    const shuffled = request.chain((input) =>
      fc
        .record({
          agents: fc.shuffledSubarray([...input.agents], { minLength: input.agents.length }),
          pending: fc.shuffledSubarray([...input.pending], { minLength: input.pending.length }),
        })
        .map((other) => ({ input, other: { ...input, ...other } })),
    )
    fc.assert(
      fc.property(shuffled, ({ input, other }) => {
        expect(schedule(other)).toEqual(schedule(input))
      }),
      RUNS,
    )
  })

  it('finds the same places whatever the order of tasks; only who of equals gets which differs', () => {
    const reversed = ({ pending, ...rest }: ScheduleRequest): ScheduleRequest => ({
      ...rest,
      pending: pending.map((group) => ({ ...group, tasks: new Set([...group.tasks].reverse()) })),
    })
    const places = (input: ScheduleRequest) =>
      schedule(input).placed.map(({ task, ...place }) => ({ ...place, group: groupOf(input, task).id }))
    fc.assert(
      fc.property(request, (input) => {
        expect(places(reversed(input))).toEqual(places(input))
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
