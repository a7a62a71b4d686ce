import type { Problem } from '../model/records.ts'

/** A place in a file; both count from 1, columns in UTF-16 code units. */
export type Place = { line: number; column: number }

/** A mistake before it is known where in the file it is. */
export type Finding = { message: string; hint: string | null }

export const problemAt = (file: string, place: Place, finding: Finding): Problem => ({ file, ...place, ...finding })

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu

/** Shows control, invisible and direction-changing characters as `<U+202E>`, so text from git cannot disguise itself. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    return `<U+${code}>`
  })

/** User text inside a message: printable, and never longer than a line. */
export function shorten(text: string, max = 80): string {
  const head = printable(text.slice(0, max))
  return text.length > max ? `${head}…` : head
}

export const quote = (text: string): string => `\`${shorten(text)}\``

export const byPlace = (a: Problem, b: Problem): number =>
  order(a.file, b.file) || a.line - b.line || a.column - b.column || order(a.message, b.message)

/** Code unit order: the same on every machine, whatever its locale. */
export const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
