import { expect } from 'vitest'
import { commandOf } from './command.ts'
import { nameOf } from './invariants.ts'
import { type RunResult, runSeed } from './run.ts'
import type { Mode } from './scenario.ts'

/** What a failure says: what was broken, the last things that happened, and how to see it again. */
export function report({ scenario, findings, tail }: RunResult): string {
  const broken = findings.map(({ invariant, message, at }) => `${nameOf(invariant)} at ${at / 1000} s: ${message}`)
  return [...tail, ...broken, `again: ${commandOf({ seed: scenario.seed, mode: scenario.mode })}`].join('\n')
}

/** Runs every seed of `[first, last]`; fails with the first that broke a promise. */
export async function expectClean(mode: Mode, first: number, last: number): Promise<void> {
  for (let seed = first; seed <= last; seed += 1) {
    const result = await runSeed({ seed, mode })
    expect(result.findings, report(result)).toEqual([])
  }
}
