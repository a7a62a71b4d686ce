import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { type Asked, commandOf } from './command.ts'
import { nameOf } from './invariants.ts'
import { PLANTED_BUGS, type PlantedBug, plantedBug } from './plants/all.ts'
import { hunt } from './plants/hunt.ts'
import { activate } from './plants/plant.ts'
import { type RunResult, runSeed } from './run.ts'
import type { Mode } from './scenario.ts'
import { shrink } from './shrink.ts'

const write = (line: string): void => void process.stdout.write(`${line}\n`)

/** A world that ended half way leaves promises behind that nothing settles: some 2 MB a seed, given back with the process. */
const SEEDS_A_PROCESS = 250
/** A simulator that needs more seeds than that to see a bug would not see it in a night either. */
const MOST_SEEDS = 1000

interface Options extends Asked {
  readonly count: number
  readonly trace: boolean
  readonly shrinks: boolean
}

/** The exit code: 0 when every seed was clean, or every planted bug was found. @throws Error for an option that says nothing. */
export async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args)
  if (options.bug === 'all') return huntEach(PLANTED_BUGS)
  if (options.bug?.includes(',')) return huntEach(options.bug.split(',').map(plantedBug))
  if (options.count > SEEDS_A_PROCESS) return runApart(options, args)
  if (options.bug !== undefined) activate(plantedBug(options.bug).name)
  let failed = 0
  for (let seed = options.seed; seed < options.seed + options.count; seed += 1) failed += await runOne({ ...options, seed })
  return failed === 0 ? 0 : 1
}

function optionsOf(args: readonly string[]): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { ...text, default: '1' },
      count: { ...text, default: '1' },
      mode: { ...text, default: 'safety' },
      ...{ seconds: text, agents: text, controls: text, faults: text, operations: text, bug: text },
      trace: { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: false },
    },
  })
  const number = (name: 'seed' | 'count' | 'seconds' | 'agents' | 'controls'): number | undefined => numberOf(name, values[name])
  const list = (said: string | undefined): string[] | undefined => (said === '' ? [] : said?.split(','))
  return {
    ...defined({ seconds: number('seconds'), agents: number('agents'), controls: number('controls'), bug: values.bug }),
    ...defined({ faults: list(values.faults), operations: list(values.operations) }),
    seed: number('seed') ?? 1,
    count: number('count') ?? 1,
    mode: modeOf(values.mode),
    trace: values.trace,
    shrinks: values.shrink,
  }
}

function numberOf(name: string, said: string | undefined): number | undefined {
  if (said === undefined) return undefined
  if (!/^[1-9]\d*$/.test(said)) throw new Error(`--${name} is a whole number above 0, not ${said}`)
  return Number(said)
}

function modeOf(said: string): Mode {
  if (said !== 'safety' && said !== 'liveness') throw new Error(`--mode is safety or liveness, not ${said}`)
  return said
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

const defined = <T extends object>(values: T): Defined<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>

function runApart({ seed: first, count }: Options, args: readonly string[]): number {
  let failed = 0
  for (let seed = first; seed < first + count; seed += SEEDS_A_PROCESS) {
    // The last of an option counts, so the others stay as they were given.
    const part = ['--seed', String(seed), '--count', String(Math.min(SEEDS_A_PROCESS, first + count - seed))]
    const [, script] = process.argv
    const { status } = spawnSync(process.execPath, [...process.execArgv, String(script), ...args, ...part], { stdio: 'inherit' })
    if (status !== 0) failed += 1
  }
  return failed === 0 ? 0 : 1
}

/** Number of seeds in which something was found. */
async function runOne(options: Options): Promise<0 | 1> {
  const { count: _count, trace, shrinks, bug, ...asked } = options
  const run = { ...asked, ...(bug === undefined ? {} : { seams: plantedBug(bug).seams }) }
  const began = performance.now()
  const result = await runSeed({ ...run, ...(trace ? { print: write } : {}) })
  tell(result, Math.round(performance.now() - began))
  if (result.findings.length === 0) return 0
  if (!trace) for (const line of result.tail) write(line)
  for (const { invariant, message, at } of result.findings) write(`VIOLATION at ${at / 1000} s: ${nameOf(invariant)}: ${message}`)
  const least = shrinks ? await shrink(run, result, write) : asked
  write(`again: ${commandOf({ ...least, mode: asked.mode, ...(bug === undefined ? {} : { bug }) })}`)
  return 1
}

function tell({ scenario, events, simulatedMs, settledMs, hash }: RunResult, tookMs: number): void {
  const { seed, controls, agents } = scenario
  const world = `${controls} control planes, ${agents} agents, ${events} events`
  write(`seed ${seed}: ${world}, ${simulatedMs / 1000} s simulated (settled after ${settledMs} ms) in ${tookMs} ms, ${hash}`)
}

/** A line each says which seed showed it and how. */
async function huntEach(bugs: readonly PlantedBug[]): Promise<number> {
  let missed = 0
  for (const bug of bugs) {
    const began = performance.now()
    const caught = await hunt(bug, { first: 1, last: MOST_SEEDS })
    const took = `${((performance.now() - began) / 1000).toFixed(1)} s`
    if (caught === null) missed += 1
    const how = caught === null ? `not found in ${MOST_SEEDS} seeds` : `seed ${caught.seed}, ${nameOf(caught.finding.invariant)}`
    write(`${bug.name}: ${how} (${bug.mode}, ${took})`)
  }
  return missed === 0 ? 0 : 1
}
