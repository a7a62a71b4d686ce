/**
 * `npx tsx test/e2e/chaos/main.ts [--faults N] [--seed N] [--hold SECONDS] [--only TEXT]`: real processes on machines of
 * their own network, one fault after the other. It needs root, etcd, dockerd, iptables and a built checkout; everything
 * runs in namespaces that end with it.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CampaignOptions, runCampaign } from './campaign.ts'
import { Findings } from './findings.ts'
import { MAIN } from './roles.ts'
import { makeRunFolder, removeRun, sweepLeftovers } from './run-folder.ts'

const INSIDE = 'DROVER_CHAOS_ROOT'

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    hold: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
  },
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** In namespaces of its own; a shell is the first process there and reaps the orphans, and with it everything ends. */
function runApart(): number {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`)
  sweepLeftovers()
  const root = makeRunFolder()
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--net']
  const script = 'mount -t tmpfs tmpfs /run && "$@"; exit $?'
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1), '--seed', values.seed]
  const env = { ...process.env, [INSIDE]: root, TMPDIR: root }
  const { status } = spawnSync('unshare', [...namespaces, 'sh', '-c', script, 'sh', ...command], { stdio: 'inherit', env })
  if (status !== 0) keepLogs(root)
  removeRun(root)
  return status ?? 1
}

function keepLogs(root: string): void {
  const kept = join(tmpdir(), `chaos-logs-${values.seed}`)
  rmSync(kept, { recursive: true, force: true })
  for (const name of ['logs', 'ledger'].filter((file) => existsSync(join(root, file))))
    cpSync(join(root, name), join(kept, name), { recursive: true })
  print(`logs: ${kept}`)
}

async function runHere(root: string): Promise<number> {
  const findings = new Findings(({ rule, message, fault }) => print(`FOUND in #${fault}: ${rule}: ${message}`))
  const options: CampaignOptions = {
    root,
    seed: Number(values.seed),
    faults: Number(values.faults),
    longestHoldMs: Number(values.hold) * 1000,
    only: values.only,
    print,
  }
  print(`seed ${values.seed}`)
  await runCampaign(options, findings)
  print(`${findings.all.length} findings; again: npx tsx test/e2e/chaos/main.ts --faults ${values.faults} --seed ${values.seed}`)
  return findings.all.length === 0 ? 0 : 1
}

const root = process.env[INSIDE]
process.exit(root === undefined ? runApart() : await runHere(root))
