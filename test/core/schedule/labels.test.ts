import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesGlob, meetsConstraint, meetsSelector } from '../../../src/core/schedule/labels.ts'
import type { Constraint } from '../../../src/model/template.ts'
import { asRegex } from './naive.ts'

const meets = (operator: Constraint['operator'], values: string[], labels: Record<string, string>): boolean =>
  meetsConstraint({ key: 'k', operator, values }, labels)

describe('meetsConstraint', () => {
  it.each([
    ['In', ['a', 'b'], 'b', true],
    ['In', ['a'], 'b', false],
    ['In', ['a'], undefined, false],
    ['NotIn', ['a'], 'b', true],
    ['NotIn', ['a'], 'a', false],
    ['NotIn', ['a'], undefined, true],
    ['Exists', [], '', true],
    ['Exists', [], undefined, false],
    ['DoesNotExist', [], 'a', false],
    ['DoesNotExist', [], undefined, true],
    ['Gt', ['9'], '10', true],
    ['Gt', ['10'], '10', false],
    ['Gt', ['1'], 'many', false],
    ['Gt', ['1'], undefined, false],
    ['Gt', [], '1', false],
    ['Gt', ['-1'], '', false],
    ['Lt', ['2.5'], '2', true],
    ['Lt', ['2'], '2', false],
    ['Lt', ['2'], undefined, false],
    ['Matches', ['node-*', 'db?'], 'db1', true],
    ['Matches', ['node-*'], 'db1', false],
    ['Matches', ['*'], undefined, false],
  ] as const)('%s %j on %j is %j', (operator, values, label, expected) => {
    expect(meets(operator, [...values], label === undefined ? {} : { k: label })).toBe(expected)
  })

  it('does not find labels that nobody set on the prototype of objects', () => {
    expect(meetsConstraint({ key: 'constructor', operator: 'Exists', values: [] }, {})).toBe(false)
  })
})

it('a selector needs every pair', () => {
  expect(meetsSelector({ a: '1', b: '2' }, { a: '1', b: '2', c: '3' })).toBe(true)
  expect(meetsSelector({ a: '1', b: '2' }, { a: '1' })).toBe(false)
})

describe('matchesGlob', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 })
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 })

  it('agrees with the same pattern as a regular expression', () => {
    fc.assert(
      fc.property(glob, text, (pattern, value) => {
        expect(matchesGlob(pattern, value)).toBe(asRegex(pattern).test(value))
      }),
      { numRuns: 5000 },
    )
  })

  it('answers on the longest allowed pattern that would explode by backtracking', () => {
    expect(matchesGlob(`${'a*'.repeat(127)}b`, 'a'.repeat(256))).toBe(false)
  })
})
