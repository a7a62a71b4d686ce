import { describe, expect, it } from 'vitest'
import { createSerial } from '../../runtime/serial.ts'
import { errorOf } from './driver-suite/bench.ts'

describe('serial work', () => {
  it('runs works of one key in order, past a failure, and other keys beside them', async () => {
    const serial = createSerial()
    const seen: string[] = []
    const first = errorOf(
      serial('a', async () => {
        await Promise.resolve()
        seen.push('a1')
        throw new Error('no')
      }),
    )
    const second = serial('a', async () => void seen.push('a2'))
    const other = serial('b', async () => void seen.push('b1'))
    await Promise.all([first, second, other])
    expect(seen.indexOf('a1')).toBeLessThan(seen.indexOf('a2'))
    expect(seen.indexOf('b1')).toBeLessThan(seen.indexOf('a2'))
  })
})
