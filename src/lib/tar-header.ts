import { TerminalError } from './errors.ts'

export const BLOCK = 512
const NO_TAR = 'it is no tar archive, or a broken one'

export const refusal = (message: string, options?: ErrorOptions): TerminalError => new TerminalError('ArchiveRefused', message, options)

/** The block before each entry. */
export interface TarHeader {
  readonly path: string
  readonly target: string
  readonly mode: number
  readonly size: number
  /** One letter; V7 has a NUL for files. */
  readonly flag: string
}

/** What extra headers say of the entry after them. */
export type Overrides = Partial<Pick<TarHeader, 'path' | 'target' | 'size'>>

/** Of POSIX ustar, or of GNU tar's and V7's variants of it. @throws TerminalError `ArchiveRefused` */
export function headerOf(block: Buffer): TarHeader {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  if (numberIn(block, 148, 8) !== sum) throw refusal(`${NO_TAR}: a checksum is wrong`)
  // Only POSIX has the front of a long path here; GNU keeps other things in its place.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textOf(block.subarray(345, 500)) : ''
  const name = textOf(block.subarray(0, 100))
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    target: textOf(block.subarray(157, 257)),
    mode: numberIn(block, 100, 8),
    size: numberIn(block, 124, 12),
    flag: block.toString('latin1', 156, 157),
  }
}

/** Octal digits, or with the highest bit set GNU's binary form for what has no room. */
function numberIn(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length)
  const text = field.toString('latin1').replace(/\0.*$/s, '').trim()
  const isBinary = field.readUInt8(0) === 0x80
  const number = isBinary ? field.subarray(1).reduce((total, byte) => total * 256 + byte, 0) : text === '' ? 0 : octal(text)
  if (!Number.isSafeInteger(number)) throw refusal(`${NO_TAR}: a header holds a number that is too large`)
  return number
}

function octal(text: string): number {
  if (!/^[0-7]+$/.test(text)) throw refusal(`${NO_TAR}: a header holds something else where a number belongs`)
  return Number.parseInt(text, 8)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Up to the first NUL. */
export function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return decode(end < 0 ? bytes : bytes.subarray(0, end))
}

function decode(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw refusal('a name is not UTF-8', { cause })
  }
}

/** Records of `LENGTH KEY=VALUE\n`, the length counting itself. Times, owners and attributes are not kept. */
export function paxOf(body: Buffer): Overrides {
  const found: { -readonly [K in keyof Overrides]: Overrides[K] } = {}
  for (let at = 0; at < body.length; ) {
    const [, digits = ''] = /^(\d{1,7}) /.exec(body.toString('latin1', at, at + 8)) ?? []
    const end = at + Number(digits)
    const equals = body.indexOf('=', at)
    if (digits === '' || equals < at || equals >= end || end > body.length || body[end - 1] !== 0x0a)
      throw refusal('a pax header is broken')
    const key = body.toString('latin1', at + digits.length + 1, equals)
    const value = body.subarray(equals + 1, end - 1)
    if (key === 'path') found.path = decode(value)
    else if (key === 'linkpath') found.target = decode(value)
    else if (key === 'size') found.size = decimal(decode(value))
    else if (key.startsWith('GNU.sparse.')) throw refusal('it holds a sparse file')
    at = end
  }
  return found
}

function decimal(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw refusal('a pax header holds something else where a number belongs')
  return Number(text)
}
