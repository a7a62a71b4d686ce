import { describe, expect, it } from 'vitest'
import { type GraphNode, mismatchedParents } from '../../src/manifest/link-graph.ts'

const at = { line: 1, column: 1 }
const node = (name: string, ...after: string[]): GraphNode => ({ name, after: after.map((parent) => ({ name: parent, at })) })

describe('parents of a CronJob', () => {
  it('are followed up a chain of 100,000', () => {
    const chain = Array.from({ length: 100_000 }, (_, index) => (index === 0 ? node('n0') : node(`n${index}`, `n${index - 1}`)))
    expect(mismatchedParents([...chain.toReversed(), node('last', 'n99999', 'n0')])).toEqual([])
    expect(mismatchedParents([...chain, node('other'), node('last', 'n99999', 'other')])).toEqual([
      { node: 'last', at, roots: ['n0', 'other'] },
    ])
  })

  it.each<[string, GraphNode[]]>([
    ['missing', [node('a'), node('b', 'a', 'gone'), node('c', 'gone', 'a')]],
    ['after one that is missing', [node('a'), node('b', 'gone'), node('c', 'b', 'a')]],
    ['in a circle', [node('a'), node('b', 'c'), node('c', 'b'), node('d', 'b', 'a')]],
  ])('say nothing of different times when one is %s', (_, nodes) => {
    expect(mismatchedParents(nodes)).toEqual([])
  })

  it('that are known are compared though another is not', () => {
    expect(mismatchedParents([node('a'), node('b'), node('c', 'gone', 'a', 'b')])).toEqual([{ node: 'c', at, roots: ['a', 'b'] }])
  })
})
