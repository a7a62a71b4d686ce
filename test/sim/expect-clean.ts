import { expect } from 'vitest'
import { type RunResult, runSeed } from './run.ts'

/** What a failure says: what was broken, the last things that happened, and how to see it again. */
export function report({ seed, findings, tail }: RunResult): string {
  const broken = findings.map(({ invariant, message, at }) => `${invariant} at ${at / 1000} s: ${message}`)
  return [...tail, ...broken, `again: npm run sim -- --seed ${seed}`].join('\n')
}

/** Runs every seed of `[first, last]`; fails with the first that broke a promise. */
export async function expectClean(first: number, last: number): Promise<void> {
  for (let seed = first; seed <= last; seed += 1) {
    const result = await runSeed({ seed })
    expect(result.findings, report(result)).toEqual([])
  }
}
