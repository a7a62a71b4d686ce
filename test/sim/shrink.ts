import { type RunOptions, type RunResult, runSeed } from './run.ts'
import type { Narrowing } from './scenario.ts'

type Asked = RunOptions & Narrowing

/**
 * The smallest run that still breaks the same promise: first a shorter time of troubles by bisection, then fewer kinds of
 * faults, then of operations, then fewer machines. Each round costs some runs of the seed, so it ends when one changes nothing.
 */
export async function shrink(asked: Asked, result: RunResult, print: (line: string) => void): Promise<Asked> {
  const { seconds, agents, controls, faults, operations } = result.scenario
  const broken = result.findings[0]
  const fails = async (narrowing: Narrowing): Promise<boolean> => {
    const { findings } = await runSeed({ ...asked, ...narrowing })
    return findings.some(({ invariant }) => invariant === broken?.invariant)
  }
  // What comes after it, in the time of troubles, is no part of it.
  const until = Math.min(seconds, Math.ceil((broken?.at ?? 0) / 1000))
  let least: Required<Narrowing> = { seconds: until, agents, controls, faults, operations }
  if (!(await fails(least))) least = { ...least, seconds }
  for (let before = ''; before !== JSON.stringify(least); ) {
    before = JSON.stringify(least)
    least = { ...least, seconds: await smallest(least.seconds, (fewer) => fails({ ...least, seconds: fewer })) }
    print(`fails within ${least.seconds} s`)
    least = { ...least, faults: await fewest(least.faults, (fewer) => fails({ ...least, faults: fewer })) }
    print(`fails with faults ${least.faults.join(', ')}`)
    least = { ...least, operations: await fewest(least.operations, (fewer) => fails({ ...least, operations: fewer })) }
    print(`fails with operations ${least.operations.join(', ')}`)
    least = { ...least, agents: await firstThatFails(least.agents, (fewer) => fails({ ...least, agents: fewer })) }
    least = { ...least, controls: await firstThatFails(least.controls, (fewer) => fails({ ...least, controls: fewer })) }
    print(`fails with ${least.agents} agents and ${least.controls} control planes`)
  }
  return { ...asked, ...least }
}

/** By bisection, for what fails in some time mostly fails in more. */
async function smallest(known: number, fails: (value: number) => Promise<boolean>): Promise<number> {
  let [low, high] = [0, known]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await fails(middle)) high = middle
    else low = middle
  }
  return high
}

/** Leaves out halves, quarters and so on, and at last each by itself. */
async function fewest(all: readonly string[], fails: (names: readonly string[]) => Promise<boolean>): Promise<readonly string[]> {
  let kept = all
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length; ) {
      const fewer = [...kept.slice(0, from), ...kept.slice(from + size)]
      if (await fails(fewer)) kept = fewer
      else from += size
    }
  }
  return kept
}

async function firstThatFails(known: number, fails: (value: number) => Promise<boolean>): Promise<number> {
  for (let value = 1; value < known; value += 1) if (await fails(value)) return value
  return known
}
