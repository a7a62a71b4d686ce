import type { Problem } from '../model/records.ts'
import { printable } from './problem.ts'

/** Widest excerpt of a line that is shown; a manifest line may be a megabyte long. */
const MAX_WIDTH = 100
const BEFORE = 60
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

/** Columns a terminal gives to a text that is already printable. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += /\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1
  return width
}

/** Line `number` (from 1) of a text, without its end. */
function lineOf(text: string, number: number): string {
  let start = 0
  for (let line = 1; line < number; line += 1) {
    const next = text.indexOf('\n', start)
    if (next === -1) return ''
    start = next + 1
  }
  const end = text.indexOf('\n', start)
  return text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '')
}

const shown = (text: string): string => printable(text.replaceAll('\t', '  '))

type Excerpt = { before: string; marked: string; after: string }

/** The part of a line around a column: what the caret marks is the word that starts there. */
function excerpt(line: string, column: number): Excerpt {
  const at = Math.min(Math.max(column - 1, 0), line.length)
  const from = line.length <= MAX_WIDTH ? 0 : Math.max(0, at - BEFORE)
  const to = Math.min(line.length, from + MAX_WIDTH)
  const word = /^(?:"[^"]*"|'[^']*'|[^\s,:[\]{}]+)/.exec(line.slice(at, to))?.[0] ?? ''
  return {
    before: (from > 0 ? '…' : '') + shown(line.slice(from, at)),
    marked: shown(word),
    after: shown(line.slice(at + word.length, to)) + (to < line.length ? '…' : ''),
  }
}

/**
 * A problem with the line it is about, as compilers show it; text from the file is made printable.
 * Without the text of the file (null) only place, message and hint are given.
 */
export function frame(problem: Problem, text: string | null): string {
  const { file, line, column, message, hint } = problem
  const head = `${printable(file)}:${line}:${column}: ${printable(message)}`
  const tail = hint === null ? [] : [`hint: ${printable(hint)}`]
  if (text === null) return [head, ...tail.map((part) => `  ${part}`)].join('\n')
  const { before, marked, after } = excerpt(lineOf(text, line), column)
  const gutter = String(line)
  const margin = ' '.repeat(gutter.length)
  const caret = ' '.repeat(widthOf(before)) + '^'.repeat(Math.max(1, widthOf(marked)))
  return [
    head,
    ` ${margin} |`,
    ` ${gutter} | ${before}${marked}${after}`,
    ` ${margin} | ${caret}`,
    ...tail.map((part) => ` ${margin} = ${part}`),
  ].join('\n')
}
