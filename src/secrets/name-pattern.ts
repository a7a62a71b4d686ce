export type NameTest = (name: string) => boolean

const GROUPED = /^(\^?)\((?:\?:)?([^()]*)\)(\$?)$/
/** Start, anything, plain text with escaped punctuation, anything, end. */
const PART = /^(\^?)(\.\*)?((?:[\w/-]|\\[./-])+)(\.\*)?(\$?)$/

/**
 * Understands what people write as `encrypted_regex`, such as `^(data|stringData)$`, `.*password.*` or `token|key`.
 * Null for any other expression: one from git is not run, for it could keep the program busy for hours.
 */
export function namePattern(expression: string): NameTest | null {
  const [, start = '', inner, end = ''] = GROUPED.exec(expression) ?? []
  const parts = inner === undefined ? expression.split('|') : inner.split('|').map((part) => start + part + end)
  const tests = parts.map(partTest)
  const known = tests.filter((test) => test !== null)
  return known.length === tests.length ? (name) => known.some((test) => test(name)) : null
}

function partTest(part: string): NameTest | null {
  const [, start, before, escaped, after, end] = PART.exec(part) ?? []
  if (escaped === undefined) return null
  const text = escaped.replaceAll('\\', '')
  const fromStart = start === '^' && before === undefined
  const toEnd = end === '$' && after === undefined
  if (fromStart) return toEnd ? (name) => name === text : (name) => name.startsWith(text)
  return toEnd ? (name) => name.endsWith(text) : (name) => name.includes(text)
}
