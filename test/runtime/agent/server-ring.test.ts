import { expect, it } from 'vitest'
import { RefusedIdentity } from '../../../runtime/https.ts'
import { ComeBackSoon, createServerRing } from '../../../runtime/server-ring.ts'
import { RetryableError } from '../../../src/lib/errors.ts'

const never = new AbortController().signal
const away = (url: string) => new RetryableError(`cannot reach ${url}`)

/** Servers that answer by a table; what was asked, in order. */
function ring(answers: Record<string, () => string>) {
  const asked: string[] = []
  const servers = createServerRing(Object.keys(answers))
  const dial = async (url: string): Promise<string> => {
    asked.push(url)
    return answers[url]?.() ?? ''
  }
  return { asked, reach: () => servers.reach(dial, never) }
}

const failing = (error: Error) => () => {
  throw error
}

it('goes on to the next until one answers, and begins after it the next time', async () => {
  const { asked, reach } = ring({ a: failing(away('a')), b: () => 'b', c: () => 'c' })
  expect([await reach(), await reach(), await reach()]).toEqual(['b', 'c', 'b'])
  expect(asked).toEqual(['a', 'b', 'c', 'a', 'b'])
})

it('tries each once, and tells what all of them said', async () => {
  const { asked, reach } = ring({ a: failing(away('a')), b: failing(away('b')) })
  await expect(reach()).rejects.toThrow('cannot reach a; cannot reach b')
  expect(asked).toEqual(['a', 'b'])
})

it('comes back soon when one says that a leader is being chosen', async () => {
  const { reach } = ring({ a: failing(away('a')), b: failing(new ComeBackSoon('nobody leads')) })
  await expect(reach()).rejects.toBeInstanceOf(ComeBackSoon)
})

it('tells of a refusal before all else', async () => {
  const { reach } = ring({ a: failing(new RefusedIdentity('expired')), b: failing(away('b')) })
  await expect(reach()).rejects.toThrow(new RefusedIdentity('expired'))
})

it('stops at an abort', async () => {
  const stop = AbortSignal.abort(new Error('ended'))
  const asked: string[] = []
  const servers = createServerRing(['a', 'b'])
  const dial = async (url: string) => {
    asked.push(url)
    throw away(url)
  }
  await expect(servers.reach(dial, stop)).rejects.toThrow('cannot reach a')
  expect(asked).toEqual(['a'])
})
