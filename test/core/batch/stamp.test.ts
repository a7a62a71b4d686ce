import { describe, expect, it } from 'vitest'
import { stampOf } from '../../../src/core/batch/stamp.ts'

describe('the name of a slot', () => {
  const table: [string, string][] = [
    ['2026-11-21T01:30:00Z', '20261121t0130z'],
    ['2026-11-21T01:30:20Z', '20261121t013020z'],
    ['2028-02-29T00:00:00Z', '20280229t0000z'],
    ['2027-12-31T23:59:59Z', '20271231t235959z'],
    ['2100-03-01T00:00:00Z', '21000301t0000z'],
    ['1970-01-01T00:00:00Z', '19700101t0000z'],
  ]
  it.each(table)('of %s is %s', (slot, name) => expect(stampOf(Date.parse(slot))).toBe(name))

  it('is its own: two slots never share one', () => {
    const start = Date.parse('2026-12-31T23:58:00Z')
    const names = Array.from({ length: 7200 }, (_, second) => stampOf(start + second * 1000))
    expect(new Set(names).size).toBe(names.length)
    expect(names.toSorted()).toHaveLength(7200)
  })
})
