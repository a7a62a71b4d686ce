import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logLines } from '../../../runtime/drivers/docker/demux.ts'
import { ndjson } from '../../../runtime/drivers/docker/ndjson.ts'
import type { LogLine } from '../../../src/model/protocol.ts'
import { collect } from '../driver-suite/bench.ts'

const TIME = '2026-11-20T12:00:00.123456789Z'
const AT = Date.parse('2026-11-20T12:00:00.123Z')

function frame(stream: LogLine['stream'], message: string): Buffer {
  const body = Buffer.from(message)
  const header = Buffer.alloc(8)
  header[0] = stream === 'stdout' ? 1 : 2
  header.writeUInt32BE(body.length, 4)
  return Buffer.concat([header, body])
}

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let start = 0
  for (let i = 0; start < bytes.length; i += 1) {
    const end = start + (sizes[i % sizes.length] ?? 1)
    yield bytes.subarray(start, end)
    start = end
  }
}

const stream = fc.constantFrom<LogLine['stream']>('stdout', 'stderr')
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).map((value) => value.replace(/[\r\n]/g, ''))
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })

describe('docker log stream', () => {
  it('gives every line whole, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ stream, text })), sizes, async (lines, cuts) => {
        const bytes = Buffer.concat(lines.map((line) => frame(line.stream, `${TIME} ${line.text}\n`)))
        expect(await collect(logLines(inPieces(bytes, cuts)))).toEqual(lines.map((line) => ({ ...line, at: AT })))
      }),
    )
  })

  it('joins what Docker cut at 16 kB, though the other stream comes between', async () => {
    const frames = [
      frame('stdout', `${TIME} one `),
      frame('stderr', '2026-11-20T12:00:01Z err\n'),
      frame('stdout', '2026-11-20T12:00:02Z line\n'),
    ]
    expect(await collect(logLines(inPieces(Buffer.concat(frames), [7])))).toEqual([
      { stream: 'stderr', at: AT + 877, text: 'err' },
      { stream: 'stdout', at: AT, text: 'one line' },
    ])
  })

  it('keeps a last line without an end, and one whose time cannot be read', async () => {
    const frames = [frame('stdout', 'no time here\n'), frame('stdout', `${TIME} unfinished`)]
    expect(await collect(logLines(inPieces(Buffer.concat(frames), [1000])))).toEqual([
      { stream: 'stdout', at: null, text: 'no time here' },
      { stream: 'stdout', at: AT, text: 'unfinished' },
    ])
  })

  it('reads no further than the lines are taken', async () => {
    let read = 0
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        read += 1
        yield frame('stdout', `${TIME} ${read}\n`)
      }
    }
    for await (const line of logLines(endless())) if (line.text === '5') break
    expect(read).toBe(5)
  })
})

describe('ndjson', () => {
  it('gives every value, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.dictionary(fc.string(), fc.jsonValue())), sizes, async (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
        const found: unknown[] = []
        for await (const value of ndjson(inPieces(bytes, cuts))) found.push(value)
        expect(JSON.stringify(found)).toBe(JSON.stringify(values))
      }),
    )
  })

  it('refuses what is no JSON', async () => {
    await expect(ndjson(inPieces(Buffer.from('{"a":1}\nnot json\n'), [5])).next()).resolves.toMatchObject({ value: { a: 1 } })
    const all = ndjson(inPieces(Buffer.from('not json\n'), [5])).next()
    await expect(all).rejects.toThrow(SyntaxError)
  })
})
