import { describe, expect, it } from 'vitest'
import { frame } from '../../src/manifest/frame.ts'

const problem = { file: 'web/a.yaml', line: 2, column: 3, message: 'unknown field `replica`', hint: 'did you mean "replicas"?' }

describe('frame', () => {
  it('shows the place, the line, a caret and the hint', () => {
    expect(frame(problem, 'spec:\n  replica: 3\n')).toBe(
      [
        'web/a.yaml:2:3: unknown field `replica`',
        '   |',
        ' 2 |   replica: 3',
        '   |   ^^^^^^^',
        '   = hint: did you mean "replicas"?',
      ].join('\n'),
    )
  })

  it('does without a hint, and without the text', () => {
    expect(frame({ ...problem, hint: null }, 'spec:\r\n  replica: 3\r\n')).not.toContain('hint')
    expect(frame(problem, null)).toBe('web/a.yaml:2:3: unknown field `replica`\n  hint: did you mean "replicas"?')
  })

  it.each([
    ['tabs', '\t\tx: 1', 3],
    ['wide characters', '名前: x', 5],
    ['combining characters', 'e\u0301\u0301: x', 6],
    ['an escape', 'a\u001b[31m: x', 8],
    ['a quoted word', 'a: "b c"', 4],
    ['past the end', 'a:', 3],
  ])('puts the caret under the column: %s', (_, text, column) => {
    const [, , shown = '', caret = ''] = frame({ ...problem, line: 1, column }, text).split('\n')
    const width = (part: string): number =>
      [...part].reduce((sum, character) => sum + (/\p{M}/u.test(character) ? 0 : /[\u4e00-\u9fff]/.test(character) ? 2 : 1), 0)
    const before = shown.slice(0, shown.length - text.slice(column - 1).length)
    expect(caret.indexOf('^')).toBe(width(before))
  })

  it('cuts a long line around the column', () => {
    const shown = frame({ ...problem, line: 1, column: 500_001 }, `${'a'.repeat(500_000)}: ${'b'.repeat(500_000)}`)
    expect(shown.split('\n').every((line) => line.length < 130)).toBe(true)
    expect(shown).toContain('…')
  })

  it('lets no control, invisible or direction-changing character through', () => {
    const evil = '\u001b[2J\u0007\u009b\u202e\u2066\u200b\u2028\ufeff\u00ad\u{e0041}\r'
    const shown = frame(
      { ...problem, line: 1, column: evil.length + 2, file: `${evil}.yaml`, message: evil, hint: evil },
      `x${evil}y${evil}: z`,
    )
    expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
    expect(shown).toContain('<U+202E>')
  })

  it('gives an empty line for a place that is not there', () =>
    expect(frame({ ...problem, line: 99 }, 'a: b').split('\n')[2]).toBe(' 99 | '))
})
