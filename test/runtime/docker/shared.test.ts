import { describe, expect, it } from 'vitest'
import { createShared } from '../../../runtime/shared.ts'
import { errorOf, never } from '../driver-suite/bench.ts'

/** Work whose end the test decides. */
function manual() {
  const begun: { key: string; signal: AbortSignal; end: () => void; fail: (error: Error) => void }[] = []
  const work = (key: string, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      begun.push({ key, signal, end: resolve, fail: reject })
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  const shared = createShared<void>()
  return { begun, run: (key: string, signal: AbortSignal) => shared.run(key, (until) => work(key, until), signal) }
}

describe('shared work', () => {
  it('is done once for all who ask meanwhile, and again for who asks later', async () => {
    const { begun, run } = manual()
    const all = [run('a', never()), run('a', never()), run('b', never())]
    expect(begun.map(({ key }) => key)).toEqual(['a', 'b'])
    for (const one of begun) one.end()
    await Promise.all(all)
    const later = run('a', never())
    expect(begun).toHaveLength(3)
    begun[2]?.end()
    await later
  })

  it('fails for all who wait', async () => {
    const { begun, run } = manual()
    const both = [errorOf(run('a', never())), errorOf(run('a', never()))]
    begun[0]?.fail(new Error('broken'))
    expect(await Promise.all(both)).toEqual([new Error('broken'), new Error('broken')])
  })

  it('goes on when one goes away, is cancelled by the last, and is then begun anew', async () => {
    const { begun, run } = manual()
    const [one, two] = [new AbortController(), new AbortController()]
    const waits = [errorOf(run('a', one.signal)), errorOf(run('a', two.signal))]
    one.abort(new Error('one'))
    expect(await waits[0]).toEqual(new Error('one'))
    expect(begun[0]?.signal.aborted).toBe(false)
    two.abort(new Error('two'))
    await waits[1]
    expect(begun[0]?.signal.aborted).toBe(true)
    const again = run('a', never())
    begun[1]?.end()
    await again
  })

  it('is not begun for one who is gone already', async () => {
    const { begun, run } = manual()
    await errorOf(run('a', AbortSignal.abort()))
    expect(begun).toEqual([])
  })
})
