import { runSeed } from '../run.ts'
import type { Finding } from '../violation.ts'
import type { PlantedBug } from './all.ts'
import { activate } from './plant.ts'

/** Found in more seeds than a test of every change has time for; `npm run sim -- --bug all` looks for them. */
export const SLOW: ReadonlySet<string> = new Set<string>([])

/** What showed a planted bug first. */
export interface Catch {
  readonly seed: number
  readonly finding: Finding
}

/** The first of `seeds` in which one of its invariants catches the bug; null: none does. */
export async function hunt({ name, caughtBy, mode, seams }: PlantedBug, seeds: { first: number; last: number }): Promise<Catch | null> {
  for (let seed = seeds.first; seed <= seeds.last; seed += 1) {
    activate(name)
    try {
      const { findings } = await runSeed({ seed, mode, seams })
      const finding = findings.find(({ invariant }) => caughtBy.includes(invariant))
      if (finding !== undefined) return { seed, finding }
    } finally {
      activate(null)
    }
  }
  return null
}
