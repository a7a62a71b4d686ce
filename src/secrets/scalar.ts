/** A value as it counts for the seal, and as text for whoever asked for it. */
export interface Typed {
  readonly counted: string
  readonly text: string
}

const TRUE = /^(?:1|t|T|true|TRUE|True)$/
const FALSE = /^(?:0|f|F|false|FALSE|False)$/
const INTEGER = /^(?:0|-?[1-9]\d*)$/
const EXPONENT = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/

/** The number without an exponent, in the digits of Go's `FormatFloat(value, 'f', -1, 64)`. */
function decimal(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : `${value < 0 ? '-' : '+'}Inf`
  const [, sign, first = '', rest = '', exponent] = EXPONENT.exec(String(value)) ?? []
  if (sign === undefined) return String(value)
  const digits = first + rest
  const point = 1 + Number(exponent)
  return point > 0 ? sign + digits.padEnd(point, '0') : `${sign}0.${'0'.repeat(-point)}${digits}`
}

/** A plain value as SOPS counts it for the seal: numbers as Go writes them, `True` and `False` as Python does. */
export function countedOf(value: string | number | boolean): string {
  if (typeof value === 'number') return decimal(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return value
}

/** The same value as people write it. */
export const textOf = (value: string | number | boolean): string => (typeof value === 'boolean' ? String(value) : countedOf(value))

/** Null for bytes that are no UTF-8. */
export function utf8Of(bytes: Buffer): string | null {
  const text = bytes.toString('utf8')
  return Buffer.from(text).equals(bytes) ? text : null
}

/**
 * What was encrypted, by its type; null when the text is not of that type, or SOPS has no such type. The type is not
 * protected, but whoever changes it gains at most another spelling of a boolean.
 */
export function readTyped(type: string, text: string): Typed | null {
  if (type === 'str' || type === 'bytes' || type === 'time') return { counted: text, text }
  if (type === 'int' || type === 'int64') return INTEGER.test(text) ? { counted: text, text } : null
  if (type === 'float') return text.trim() === text && text !== '' ? { counted: countedOf(Number(text)), text } : null
  if (type === 'bool') return readBoolean(text)
  return null
}

function readBoolean(text: string): Typed | null {
  const value = TRUE.test(text)
  return value || FALSE.test(text) ? { counted: countedOf(value), text: String(value) } : null
}
