import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, it } from 'vitest'

/** 200 for the figure in the README; as many as a minute holds where everything else runs too (`DROVER_CHAOS_FAULTS=20 npm test e2e`). */
const FAULTS = Number(process.env.DROVER_CHAOS_FAULTS ?? 4)
const LONGEST_HOLD_SECONDS = Number(process.env.DROVER_CHAOS_HOLD ?? 6)
const SEED = process.env.DROVER_CHAOS_SEED ?? '1'
/** A fault that does not heal is waited for longer than it may take, to see whether it ever does. */
const LIMIT_MS = 300_000 + FAULTS * 60_000

/** Everything it prints, and its exit code. */
async function campaign(): Promise<{ code: number | null; output: string }> {
  const args = ['--faults', String(FAULTS), '--seed', SEED, '--hold', String(LONGEST_HOLD_SECONDS)]
  const main = join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    process.stdout.write(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

it(
  `P5: ${FAULTS} faults of processes, network, etcd, Docker, git and disk (seed ${SEED}): all recovers, nothing is lost or done twice`,
  async () => {
    const { code, output } = await campaign()
    expect(output).toContain('0 findings')
    expect(output.match(/^#\d+ /gm)).toHaveLength(FAULTS)
    expect(code).toBe(0)
  },
  LIMIT_MS,
)
