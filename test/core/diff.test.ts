import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diffValues, type FieldChange, sameValue } from '../../src/core/diff.ts'

const change = (path: string, before: unknown, after: unknown): FieldChange => ({ path, before, after })

describe('diffValues', () => {
  it.each<[string, unknown, unknown, FieldChange[]]>([
    ['a field that changed', { replicas: 2 }, { replicas: 3 }, [change('replicas', 2, 3)]],
    ['a field that came', {}, { a: { b: 1 } }, [change('a.b', undefined, 1)]],
    ['a field that went', { a: { b: 1 } }, {}, [change('a.b', 1, undefined)]],
    ['null apart from absent', { a: null }, {}, [change('a', null, undefined)]],
    ['another type', { a: { b: 1 } }, { a: 'x' }, [change('a', { b: 1 }, 'x')]],
    ['an undefined field as absent', { a: undefined, b: 1 }, { b: 1 }, []],
    ['an empty list that came to a field', { a: 1 }, { a: 1, b: [] }, [change('b', undefined, [])]],
    ['named entries in another order', { env: [{ name: 'A' }, { name: 'B' }] }, { env: [{ name: 'B' }, { name: 'A' }] }, []],
    [
      'named entries by name',
      { c: [{ name: 'web', image: 'a' }] },
      {
        c: [
          { name: 'db', image: 'd', args: [] },
          { name: 'web', image: 'b' },
        ],
      },
      [change('c[db].image', undefined, 'd'), change('c[web].image', 'a', 'b')],
    ],
    [
      'an entry that has only empty parts',
      { v: [] },
      { v: [{ name: 'tmp', emptyDir: {} }] },
      [change('v[tmp]', undefined, { emptyDir: {} })],
    ],
    ['entries with a key', { s: [{ key: 'zone', maxSkew: 1 }] }, { s: [{ key: 'zone', maxSkew: 2 }] }, [change('s[zone].maxSkew', 1, 2)]],
    [
      'entries of which two share a name by index',
      {
        m: [
          { name: 'v', path: '/a' },
          { name: 'v', path: '/b' },
        ],
      },
      {
        m: [
          { name: 'v', path: '/a' },
          { name: 'v', path: '/c' },
        ],
      },
      [change('m[1].path', '/b', '/c')],
    ],
    ['plain lists as a whole', { command: ['a', 'b'] }, { command: ['a', 'c'] }, [change('command', ['a', 'b'], ['a', 'c'])]],
    ['a plain list that came', {}, { command: ['a'] }, [change('command', undefined, ['a'])]],
    ['a field called __proto__', JSON.parse('{"__proto__": 1}'), {}, [change('__proto__', 1, undefined)]],
  ])('tells %s', (_, before, after, expected) => {
    expect(diffValues(before, after)).toEqual(expected)
  })

  it('tells another order of named entries when asked to', () => {
    const [before, after] = [{ ports: [{ name: 'a' }, { name: 'b' }] }, { ports: [{ name: 'b' }, { name: 'new' }, { name: 'a' }] }]
    expect(diffValues(before, after, { path: 'spec', order: 'report' })).toEqual([
      change('spec.ports[new]', undefined, {}),
      change('spec.ports', ['a', 'b'], ['b', 'new', 'a']),
    ])
  })
})

describe('properties', () => {
  const scalar = fc.constantFrom<unknown[]>(null, true, 0, 1, '', 'x', 'y')
  const { value } = fc.letrec((tie) => ({
    named: fc.uniqueArray(fc.record({ name: fc.constantFrom('a', 'b', 'c'), of: tie('value') }), {
      selector: ({ name }) => name,
      maxLength: 3,
    }),
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      scalar,
      fc.dictionary(fc.constantFrom('a', 'b', 'name', 'key'), tie('value'), { maxKeys: 3 }),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('named'),
    ),
  }))
  const RUNS = { numRuns: 3000 }

  it('finds nothing between equal values, and something between different ones when order counts', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(diffValues(a, structuredClone(a), { order: 'report' })).toEqual([])
        expect(diffValues(a, b, { order: 'report' }).length > 0).toBe(!sameValue(a, b))
        expect(sameValue(a, b)).toBe(sorted(a) === sorted(b))
      }),
      RUNS,
    )
  })

  it('tells the same changes the other way round, each a real one', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const there = diffValues(a, b, { order: 'report' })
        for (const { before, after } of there) expect(sameValue(before, after)).toBe(false)
        expect(diffValues(b, a, { order: 'report' })).toEqual(there.map(({ path, before, after }) => change(path, after, before)))
      }),
      RUNS,
    )
  })

  /** Canonical text, written apart from the code under test. */
  const sorted = (of: unknown): string =>
    JSON.stringify(of, (_, item) =>
      typeof item === 'object' && item !== null && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
        : item,
    )
})
