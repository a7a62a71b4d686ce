import { expect, it } from 'vitest'
import { runSeed } from './run.ts'

it('repeats 25 seeds event by event', async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const [first, second] = [await runSeed({ seed }), await runSeed({ seed })]
    expect({ seed, hash: second.hash }).toEqual({ seed, hash: first.hash })
  }
})

it('tells seeds apart', async () => {
  const hashes = new Set<string>()
  for (let seed = 1; seed <= 5; seed += 1) hashes.add((await runSeed({ seed, seconds: 20 })).hash)
  expect(hashes.size).toBe(5)
})

it('plays with as many control planes and agents as asked', async () => {
  const result = await runSeed({ seed: 7, controls: 3, agents: 6, seconds: 60 })
  expect(result.findings).toEqual([])
})
