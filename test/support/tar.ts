import { type TarInput, tar } from './setup/tar.mjs'

const BLOCK = 512

/** Archives as nobody sane makes them, too: no path is checked. */
export const tarOf = (entries: readonly TarInput[]): Buffer => tar(entries)

export const file = (path: string, content: string | Buffer, mode = 0o644): TarInput => ({ path, mode, content: Buffer.from(content) })
export const folder = (path: string): TarInput => ({ path, mode: 0o755, type: '5' })
export const symbolicLink = (path: string, link: string): TarInput => ({ path, mode: 0o777, link })
export const hardLink = (path: string, link: string): TarInput => ({ path, mode: 0o644, link, type: '1' })
export const special = (path: string, type: string): TarInput => ({ path, mode: 0o644, type })

/** The header that gives the entry after it a path of any length. */
export function paxPath(path: string): TarInput {
  const record = ` path=${path}\n`
  const bytes = Buffer.byteLength(record)
  const length = bytes + String(bytes + String(bytes).length).length
  return { path: 'pax', mode: 0o644, type: 'x', content: Buffer.from(`${length}${record}`) }
}

/** The same with each header's checksum made right, so that what else was changed in it is looked at. */
export function withChecksums(archive: Buffer): Buffer {
  const bytes = Buffer.from(archive)
  for (let at = 0; at + BLOCK <= bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK)
    if (block.toString('latin1', 257, 262) !== 'ustar') continue
    block.write(' '.repeat(8), 148)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  }
  return bytes
}
