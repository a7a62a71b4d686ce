import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fits } from '../../../src/core/schedule/reasons.ts'
import { schedule } from '../../../src/core/schedule/schedule.ts'
import type { AgentView, PendingGroup, ScheduleRequest } from '../../../src/core/schedule/types.ts'
import { request } from './arbitrary.ts'
import { allows, apply, capacityAllows, labelsAllow, worldOf } from './naive.ts'

const RUNS = { numRuns: 1500 }

const groupOf = ({ pending }: ScheduleRequest, task: string): PendingGroup =>
  pending.find(({ tasks }) => tasks.some(({ id }) => id === task)) as PendingGroup
const agentOf = ({ agents }: ScheduleRequest, id: string): AgentView => agents.find((agent) => agent.id === id) as AgentView

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
