import { runSeed } from '../run.ts'
import type { Finding } from '../violation.ts'
import type { PlantedBug } from './all.ts'
import { activate } from './plant.ts'

/** Found within 40 seeds, so that a test of every change has time for them; `npm run sim -- --bug all` hunts all. */
export const QUICK: ReadonlySet<string> = new Set([
  ...['store-without-fence', 'lost-reply-is-success', 'commit-before-durable', 'lease-believed-too-long', 'sent-again-blindly'],
  ...['writes-dropped', 'quarantine-forgotten', 'epoch-not-written', 'intent-not-written', 'recovery-blind', 'orphans-unseen'],
  ...['ready-too-early', 'health-made-up', 'exit-code-lost', 'report-acknowledged-unread', 'full-set-incomplete'],
  ...['mistakes-ignored', 'commit-in-template', 'impatient-rollout', 'restless-rollout', 'run-repeated', 'replaced-too-soon'],
  ...['empty-prunes', 'slot-doubled'],
])

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
