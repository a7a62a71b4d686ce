import { describe, expect, it } from 'vitest'
import { schedule } from '../../../src/core/schedule/schedule.ts'
import type { AgentView, PendingGroup, Requirements } from '../../../src/core/schedule/types.ts'
import { agent, group, MI, requirements } from './arbitrary.ts'

const SEEDS = Array.from({ length: 30 }, (_, index) => index + 1)
const SIZES = [
  [4000, 16_384],
  [8000, 32_768],
  [16_000, 65_536],
  [32_000, 65_536],
] as const

function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

/** 200 machines of four sizes; 40 workloads of up to 40 tasks in 12 shapes, a tenth of them bound to a label. */
function instance(seed: number): { agents: AgentView[]; pending: PendingGroup[] } {
  const roll = dice(seed)
  const agents = Array.from({ length: 200 }, (_, index) => {
    const [cpuMillis, memory] = SIZES[roll(4)] ?? SIZES[0]
    const capacity = { cpuMillis, memoryBytes: memory * MI, ports: { from: 20_000, to: 29_999 } }
    return agent(`agent-${index}`, { capacity, labels: { disk: roll(2) === 0 ? 'ssd' : 'hdd' } })
  })
  const shapes = Array.from({ length: 12 }, () => ({ cpuMillis: 100 + 100 * roll(20), memoryBytes: (128 + 128 * roll(32)) * MI }))
  const pending = Array.from({ length: 40 }, (_, index) =>
    group(`w${index}`, 1 + roll(40), {
      createdAt: index,
      requirements: requirements({ ...shapes[roll(12)], nodeSelector: roll(10) === 0 ? { disk: 'ssd' } : {} }),
    }),
  )
  return { agents, pending }
}

/** Every task looks at every machine and takes the one that would have the least share left. */
function exactBestFit(agents: readonly AgentView[], pending: readonly PendingGroup[]): [Requirements, AgentView][] {
  const free = new Map(agents.map((view) => [view, { cpu: view.capacity.cpuMillis, memory: view.capacity.memoryBytes }]))
  return pending.flatMap(({ requirements: asked, tasks }) =>
    [...tasks].flatMap((): [Requirements, AgentView][] => {
      const left = [...free].flatMap(([view, { cpu, memory }]) => {
        const fits = cpu >= asked.cpuMillis && memory >= asked.memoryBytes
        const labelled = Object.entries(asked.nodeSelector).every(([key, value]) => view.labels[key] === value)
        const share = (cpu - asked.cpuMillis) / view.capacity.cpuMillis + (memory - asked.memoryBytes) / view.capacity.memoryBytes
        return fits && labelled ? [{ view, share }] : []
      })
      const best = left.reduce<(typeof left)[number] | undefined>((a, b) => (a === undefined || b.share < a.share ? b : a), undefined)
      if (best === undefined) return []
      const rest = free.get(best.view)
      free.set(best.view, { cpu: (rest?.cpu ?? 0) - asked.cpuMillis, memory: (rest?.memory ?? 0) - asked.memoryBytes })
      return [[asked, best.view]]
    }),
  )
}

/** Demand for the scarcer resource over the capacity of the machines touched. */
function efficiency(placements: readonly (readonly [Requirements, AgentView])[]): number {
  const touched = [...new Set(placements.map(([, view]) => view))]
  const sum = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((total, item) => total + of(item), 0)
  const cpu = sum(placements, ([asked]) => asked.cpuMillis) / sum(touched, (view) => view.capacity.cpuMillis)
  const memory = sum(placements, ([asked]) => asked.memoryBytes) / sum(touched, (view) => view.capacity.memoryBytes)
  return Math.max(cpu, memory)
}

describe('packing', () => {
  it('fills the machines it touches at least 0.97 as well as an exact best fit, over random instances', () => {
    const ratios = SEEDS.map((seed) => {
      const { agents, pending } = instance(seed)
      const asked = new Map(pending.flatMap(({ requirements: of, tasks }) => [...tasks].map((id) => [id, of])))
      const views = new Map(agents.map((view) => [view.id, view]))
      const { placed, unplaced } = schedule({ agents, pending, seed, tags: new Map() })
      expect(unplaced).toEqual([])
      const ours = placed.map(({ task, agent: id }) => [asked.get(task) as Requirements, views.get(id) as AgentView] as const)
      return efficiency(ours) / efficiency(exactBestFit(agents, pending))
    })
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length
    expect(mean).toBeGreaterThanOrEqual(0.97)
    expect(Math.min(...ratios)).toBeGreaterThanOrEqual(0.95)
  })
})
