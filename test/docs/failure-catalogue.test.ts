import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CATALOGUE, inlineCode, tableRows } from './markdown.ts'

const HEADINGS = ['Machines and tasks', 'Docker', 'Leadership and store', 'Git and manifests', 'What tasks may do', 'Promises']
const numbered = (letter: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)

const RULES = ['S-9', 'S-10', 'S-11', 'S-12', 'S-15', 'S-16']
const WANTED = [...numbered('A', 12), ...numbered('D', 11), ...numbered('L', 7), ...numbered('G', 9), ...numbered('P', 11), ...RULES]

const rows = HEADINGS.flatMap((heading) => tableRows(CATALOGUE, heading)).map(([id = '', , , tests = '']) => ({
  id,
  files: inlineCode(tests),
}))

/** The head of a title: one id or several, as in `it('A2, A6: ...')`. */
const begins = (text: string, id: string): boolean => new RegExp(`['"\`](?:[A-Z]-?\\d+, )*${id}(?:, [A-Z]-?\\d+)*: `).test(text)

describe('the catalogue of failures', () => {
  it('has every id once', () => {
    const ids = rows.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(WANTED))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(rows.flatMap(({ id, files }) => files.map((file) => ({ id, file }))))(
    'names tests of $id that are there: $file',
    ({ id, file }) => {
      expect(existsSync(file)).toBe(true)
      expect(begins(readFileSync(file, 'utf8'), id)).toBe(true)
    },
  )

  it.each(rows)('names a test of $id', ({ files }) => {
    expect(files.length).toBeGreaterThan(0)
  })

  it('would miss a test that is not there', () => {
    expect(begins("it('A1: x')", 'A1')).toBe(true)
    expect(begins("it('A2, A6: x')", 'A6')).toBe(true)
    expect(begins("it('A11: x')", 'A1')).toBe(false)
    expect(begins("it('of A1: x')", 'A1')).toBe(false)
  })
})
