import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { namePattern } from '../../src/secrets/name-pattern.ts'

const UNDERSTOOD = [
  '^(data|stringData)$',
  '^(?:data|stringData)$',
  '^data$',
  'data',
  '^data',
  'Data$',
  '^data|Data$',
  '(^data$|Data$)',
  '.*Data',
  '^.*Data.*$',
  'a\\.b|a-b',
]

describe('a pattern of names', () => {
  it.each(UNDERSTOOD)('%s says what the expression says', (expression) => {
    const test = namePattern(expression)
    const real = new RegExp(expression)
    const names = ['data', 'stringData', 'Data', 'dataset', 'my-data', 'a.b', 'axb', 'a-b', '', 'DATA']
    expect(names.map((name) => test?.(name))).toEqual(names.map((name) => real.test(name)))
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'dataD.b-x') }), (name) => {
        expect(test?.(name)).toBe(real.test(name))
      }),
      { numRuns: 200 },
    )
  })

  it.each(['^(a+)+$', '[a-z]', '(?i)data', 'a.b', '(a)(b)', '((a))', '', '(data', 'data)', '^(|data)$'])('%s is not run', (expression) =>
    expect(namePattern(expression)).toBeNull(),
  )
})
