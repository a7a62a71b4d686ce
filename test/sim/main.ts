/** `npm run sim -- --seed N [--seconds S] [--count C] [--bug NAME] [--trace]`: one seed, or `C` from it on. */
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

let failed = 0
for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.count); seed += 1) {
  const began = performance.now()
  const result = await runSeed({
    seed,
    seams: values.bug === undefined ? NO_BUG : plantedBug(values.bug).seams,
    ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
    ...(values.trace ? { print: write } : {}),
  })
  const tookMs = Math.round(performance.now() - began)
  write(
    `seed ${seed}: ${result.events} events, ${result.simulatedMs / 1000} s simulated (settled after ${result.settledMs} ms) in ${tookMs} ms, ${result.hash}`,
  )
  if (result.findings.length === 0) continue
  failed += 1
  if (!values.trace) for (const line of result.tail) write(line)
  for (const { invariant, message, at } of result.findings) write(`VIOLATION at ${at / 1000} s: ${invariant}: ${message}`)
  write(`again: npm run sim -- --seed ${seed}${values.bug === undefined ? '' : ` --bug ${values.bug}`}`)
}
process.exitCode = failed === 0 ? 0 : 1
