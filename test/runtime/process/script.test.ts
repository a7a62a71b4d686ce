import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quote } from '../../../runtime/drivers/process/quote.ts'
import { EXIT_BLANKS, parseExit } from '../../../runtime/drivers/process/script.ts'

describe('quoting', () => {
  it('gives a shell exactly the word, whatever is in it (property)', () => {
    const nasty = fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', '!', '*', '~', ';', '&', '-', 'a', 'é', '\x01') })
    fc.assert(
      fc.property(fc.array(nasty, { maxLength: 5 }), (words) => {
        const out = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(quote).join(' ')}`], { encoding: 'utf8' })
        expect(out.split('\0').slice(0, -1)).toEqual(words.length === 0 ? [''] : words)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses what no argument can hold', () => {
    expect(() => quote('a\0b')).toThrow('NUL')
  })
})

describe('the last word of a shim', () => {
  it.each([
    [EXIT_BLANKS, null],
    ['', null],
    [null, null],
    ['13', null],
    ['0   20.01               \n', { exitCode: 0, at: 2001 }],
    ['137 1234567.89\n', { exitCode: 137, at: 123456789 }],
    ['7                       \n', { exitCode: 7, at: null }],
  ])('%j means %j', (text, word) => {
    expect(parseExit(text)).toEqual(word)
  })
})
