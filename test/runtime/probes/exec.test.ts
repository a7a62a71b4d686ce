import { describe, expect, it } from 'vitest'
import { createFirstLine, execResult } from '../../../runtime/probes/exec.ts'

const firstOf = (...pieces: string[]): string => {
  const line = createFirstLine()
  for (const piece of pieces) line.add(piece)
  return line.text
}

describe('what a probe shows of a command', () => {
  it.each([
    [['one\ntwo'], 'one'],
    [['\n \n', '\r\n one', ' more\r\ntwo\n'], 'one more'],
    [[], ''],
    [['\n\n'], ''],
    [['x'.repeat(10_000)], 'x'.repeat(200)],
  ])('%j', (pieces, shown) => {
    expect(firstOf(...pieces)).toBe(shown)
  })

  it('is bounded, however much comes before the first line', () => {
    expect(firstOf(...Array.from({ length: 10_000 }, () => ' \n'.repeat(100)), 'late')).toBe('late')
  })

  it('says how it ended', () => {
    expect(execResult({ exitCode: 0, signal: null }, 'whatever')).toEqual({ passed: true })
    expect(execResult({ exitCode: 2, signal: null }, '')).toEqual({ passed: false, message: 'exit code 2' })
    expect(execResult({ exitCode: null, signal: 'SIGSEGV' }, 'oops')).toEqual({ passed: false, message: 'killed by SIGSEGV: oops' })
  })
})
