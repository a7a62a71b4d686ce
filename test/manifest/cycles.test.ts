import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findCycles, type Graph } from '../../src/manifest/cycles.ts'

const graphs = fc
  .array(fc.array(fc.nat({ max: 9 }), { maxLength: 3 }), { minLength: 1, maxLength: 10 })
  .map((edges): Graph => new Map(edges.map((targets, node) => [`n${node}`, targets.map((target) => `n${target}`)])))

/** True when every node can be put after all it waits for. */
function canStart(graph: Graph): boolean {
  const started = new Set<string>()
  for (let before = -1; before !== started.size; ) {
    before = started.size
    for (const [node, edges] of graph) if (edges.every((edge) => started.has(edge) || !graph.has(edge))) started.add(node)
  }
  return started.size === graph.size
}

describe('findCycles', () => {
  it('names circles that are there, no node twice, and finds one exactly when something can never start', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const cycles = findCycles(graph)
        for (const cycle of cycles)
          for (const [index, node] of cycle.entries()) expect(graph.get(node)).toContain(cycle[(index + 1) % cycle.length])
        expect(new Set(cycles.flat()).size).toBe(cycles.flat().length)
        expect(cycles.length === 0).toBe(canStart(graph))
      }),
    )
  })

  it('follows a chain of 100,000', () => {
    const chain = new Map(Array.from({ length: 100_000 }, (_, index) => [`n${index}`, [`n${index + 1}`]]))
    expect(findCycles(chain)).toEqual([])
    expect(findCycles(new Map([...chain, ['n100000', ['n0']]]))[0]).toHaveLength(100_001)
  })
})
