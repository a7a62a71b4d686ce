import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Channel } from '../../src/lib/channel.ts'
import { waitUntil } from '../support/wait-until.ts'

/** The frames of the suite: a number to tell them apart, and some weight. */
export const TestFrame = z.object({ n: z.number().int(), load: z.string().optional() })
export type TestFrame = z.infer<typeof TestFrame>

interface ChannelPairUnderTest {
  readonly a: Channel<TestFrame, TestFrame>
  readonly b: Channel<TestFrame, TestFrame>
  end(): Promise<void>
}

export interface ChannelHarness {
  readonly name: string
  open(): Promise<ChannelPairUnderTest>
}

async function collect(channel: Channel<TestFrame, TestFrame>, into: number[]): Promise<void> {
  for await (const frame of channel.frames()) into.push(frame.n)
}

/** What every channel promises, over a socket or in process. */
export function describeChannel({ name, open }: ChannelHarness): void {
  describe(`a channel (${name})`, () => {
    it('carries frames both ways, in order', async () => {
      const { a, b, end } = await open()
      const atA: number[] = []
      const atB: number[] = []
      const readers = [collect(a, atA), collect(b, atB)]
      for (let n = 0; n < 500; n += 1) {
        a.send({ n })
        b.send({ n: -n })
      }
      await waitUntil(() => atA.length === 500 && atB.length === 500)
      expect(atB).toEqual(Array.from({ length: 500 }, (_, n) => n))
      expect(atA).toEqual(Array.from({ length: 500 }, (_, n) => 0 - n))
      a.close('done')
      await Promise.all(readers)
      await end()
    })

    it('copies what it carries: the sender may go on with its object', async () => {
      const { a, b, end } = await open()
      const frame = { n: 1 }
      a.send(frame)
      frame.n = 2
      const got: number[] = []
      const reader = collect(b, got)
      await waitUntil(() => got.length === 1)
      expect(got).toEqual([1])
      a.close('done')
      await reader
      await end()
    })

    it.each(['a', 'b'] as const)('ends for both when %s closes, with the reason, and what was sent before arrives', async (closer) => {
      const { end, ...ends } = await open()
      const other = closer === 'a' ? ends.b : ends.a
      const got: number[] = []
      ends[closer].send({ n: 1 })
      ends[closer].send({ n: 2 })
      ends[closer].close('enough')
      await collect(other, got)
      expect(got).toEqual([1, 2])
      expect(await other.closed).toBe('enough')
      expect(await ends[closer].closed).toBe('enough')
      await end()
    })

    it('hears nothing after its own close, and sending then does nothing', async () => {
      const { a, b, end } = await open()
      const got: number[] = []
      const reader = collect(a, got)
      a.close('enough')
      b.send({ n: 1 })
      a.send({ n: 2 })
      await reader
      const late: number[] = []
      await collect(b, late)
      expect({ got, late }).toEqual({ got: [], late: [] })
      await end()
    })

    it('closes on what is no frame, and says so', async () => {
      const { a, b, end } = await open()
      const got: number[] = []
      a.send({ n: 1 })
      a.send({ m: 'not a frame' } as unknown as TestFrame)
      a.send({ n: 3 })
      await collect(b, got)
      expect(got.every((n) => n === 1)).toBe(true)
      expect(await b.closed).toMatch(/^invalid frame/)
      expect(await a.closed).toMatch(/^invalid frame/)
      await end()
    })

    it('carries a frame of 900 kB', async () => {
      const { a, b, end } = await open()
      a.send({ n: 1, load: 'x'.repeat(900_000) })
      a.close('done')
      const sizes: number[] = []
      for await (const frame of b.frames()) sizes.push(frame.load?.length ?? 0)
      expect(sizes).toEqual([900_000])
      await end()
    })

    it('gives a reader up that takes nothing, instead of keeping frames for it without end', async () => {
      const { a, end } = await open()
      const over = { reason: '' }
      const watch = a.closed.then((reason) => {
        over.reason = reason
      })
      const load = 'x'.repeat(50_000)
      for (let n = 0; n < 20_000 && over.reason === ''; n += 1) {
        a.send({ n, load })
        if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await watch
      expect(over.reason).toBe('the reader is too slow')
      await end()
    })
  })
}
