import { describe, expect, it } from 'vitest'
import type { PlanAction } from '../../src/core/plan-changes.ts'
import { planOrder } from '../../src/core/plan-order.ts'
import { type WorkloadKey, workloadKey } from '../../src/model/ids.ts'

const key = (name: string): WorkloadKey => workloadKey('default', 'Deployment', name)
const change = (name: string, dependsOn: string[] = [], action: PlanAction = 'create') => ({
  key: key(name),
  action,
  dependsOn: dependsOn.map(key),
})
const gone = (name: string, dependsOn: string[] = []) => change(name, dependsOn, 'delete')
const names = (waves: WorkloadKey[][]): string[] => waves.map((wave) => wave.map((one) => one.split('/')[2]).join(' '))

describe('planOrder', () => {
  it('waits for what is changed of what it depends on', () => {
    const changes = [
      change('web', ['api', 'cache']),
      change('api', ['db']),
      change('cache', [], 'none'),
      change('db', ['elsewhere'], 'update'),
      change('alone', [], 'replace'),
    ]
    expect(names(planOrder(changes, 'Last'))).toEqual(['db alone', 'api', 'web'])
  })

  it('puts each into the first wave that it may begin in', () => {
    const changes = [change('d', ['a', 'c']), change('c', ['b']), change('b', ['a']), change('a'), change('e', ['a'])]
    expect(names(planOrder(changes, 'Last'))).toEqual(['a', 'b e', 'c', 'd'])
  })

  it('removes last, and what depends on another before it', () => {
    const changes = [gone('db'), gone('api', ['db', 'web']), change('web', ['db']), gone('front', ['api'])]
    expect(names(planOrder(changes, 'Last'))).toEqual(['web', 'front', 'api', 'db'])
  })

  it('removes at once where nothing waits for the rest to be well', () => {
    const changes = [gone('db'), gone('api', ['db', 'web']), change('web', ['db']), change('late', ['web'])]
    expect(names(planOrder(changes, 'AtOnce'))).toEqual(['web api', 'late db'])
  })

  it('ends when removals go in a circle, as those of several revisions can', () => {
    expect(names(planOrder([gone('a', ['b']), gone('b', ['a']), gone('c')], 'Last'))).toEqual(['c', 'a b'])
  })

  it('is nothing when nothing changes, and quick for ten thousand', () => {
    expect(planOrder([change('a', [], 'none')], 'Last')).toEqual([])
    const many = Array.from({ length: 10_000 }, (_, index) => change(`w${index}`, index < 100 ? [] : [`w${index - 100}`]))
    expect(planOrder(many, 'Last')).toHaveLength(100)
  })
})
