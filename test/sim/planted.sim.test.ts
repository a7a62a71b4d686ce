import { describe, expect, it } from 'vitest'
import { report } from './expect-clean.ts'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { runSeed } from './run.ts'

/** A simulator that needs more seeds than that to see a bug would not see it in a night either. */
const MOST_SEEDS = 1000

describe('finds what was planted, and nothing else', () => {
  it.each(PLANTED_BUGS)('$name', async ({ caughtBy, seams }) => {
    for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
      const { findings } = await runSeed({ seed, seams })
      if (!findings.some(({ invariant }) => caughtBy.includes(invariant))) continue
      const sound = await runSeed({ seed })
      expect(sound.findings, report(sound)).toEqual([])
      return
    }
    expect.fail(`not found in ${MOST_SEEDS} seeds`)
  })
})
