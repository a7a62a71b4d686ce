/**
 * Control characters, ANSI sequences, bidi and invisible marks in names, messages and logs could rewrite
 * a terminal or hide what is said; they are shown as escapes instead (reliability S-22). A tab stays.
 */
const HOSTILE = /(?!\t)[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]|\p{Default_Ignorable_Code_Point}/gu

/** One line of safe text. */
export const escapeText = (text: string): string => text.replace(HOSTILE, shown)

/** As `escapeText`, but lines stay lines. */
export const escapeLines = (text: string): string => text.split('\n').map(escapeText).join('\n')

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\u001b': '\\e' }

function shown(char: string): string {
  const named = NAMED[char]
  if (named !== undefined) return named
  const code = char.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
