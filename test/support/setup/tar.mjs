const BLOCK = 512

/**
 * A ustar archive of `{path, mode, content?, link?, type?}`: a folder's path ends in `/`, a link's target is `link`;
 * `type` is the letter of anything else.
 * Paths are shorter than 100 bytes; everything belongs to root and dates from 1970, so equal input gives equal bytes.
 */
export function tar(entries) {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(2 * BLOCK)])
}

function entryBlocks(entry) {
  const content = entry.content ?? Buffer.alloc(0)
  return [header(entry, content.length), content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]
}

function header(entry, size) {
  const block = Buffer.alloc(BLOCK)
  const octal = (value, width) => `${value.toString(8).padStart(width - 1, '0')}\0`
  block.write(entry.path, 0)
  block.write(octal(entry.mode, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(0, 12), 100)
  block.write(' '.repeat(8) + typeOf(entry) + (entry.link ?? ''), 148)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function typeOf(entry) {
  if (entry.type !== undefined) return entry.type
  if (entry.link !== undefined) return '2'
  return entry.path.endsWith('/') ? '5' : '0'
}
