/** `npm run sim -- --seed N [--seconds S] [--count C] [--bug NAME] [--trace]`: one seed, or `C` from it on. */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { plantedBug } from './planted-bugs.ts'
import { runSeed } from './run.ts'
import { NO_BUG } from './seams.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    count: { type: 'string', default: '1' },
    bug: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
})

const write = (line: string): void => void process.stdout.write(`${line}\n`)

/** A world that ended half way leaves promises behind that nothing settles: some 2 MB a seed, given back with the process. */
const SEEDS_A_PROCESS = 500
const [first, count] = [Number(values.seed), Number(values.count)]

/** Number of processes in which something was found. */
function runApart(): number {
  let failed = 0
  for (let seed = first; seed < first + count; seed += SEEDS_A_PROCESS) {
    // The last of an option counts, so the others stay as they were given.
    const part = ['--seed', String(seed), '--count', String(Math.min(SEEDS_A_PROCESS, first + count - seed))]
    const { status } = spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1), ...part], { stdio: 'inherit' })
    if (status !== 0) failed += 1
  }
  return failed
}

/** Number of seeds in which something was found. */
async function runHere(): Promise<number> {
  let failed = 0
  for (let seed = first; seed < first + count; seed += 1) failed += await run(seed)
  return failed
}

async function run(seed: number): Promise<0 | 1> {
  const began = performance.now()
  const result = await runSeed({
    seed,
    seams: values.bug === undefined ? NO_BUG : plantedBug(values.bug).seams,
    ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
    ...(values.trace ? { print: write } : {}),
  })
  const tookMs = Math.round(performance.now() - began)
  const settled = `${result.simulatedMs / 1000} s simulated (settled after ${result.settledMs} ms)`
  write(`seed ${seed}: ${result.events} events, ${settled} in ${tookMs} ms, ${result.hash}`)
  if (result.findings.length === 0) return 0
  if (!values.trace) for (const line of result.tail) write(line)
  for (const { invariant, message, at } of result.findings) write(`VIOLATION at ${at / 1000} s: ${invariant}: ${message}`)
  write(`again: npm run sim -- --seed ${seed}${values.bug === undefined ? '' : ` --bug ${values.bug}`}`)
  return 1
}

const failed = count > SEEDS_A_PROCESS ? runApart() : await runHere()
process.exitCode = failed === 0 ? 0 : 1
