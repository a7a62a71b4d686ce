/**
 * `npx tsx test/e2e/chaos/main.ts [--faults N] [--seed N] [--hold SECONDS] [--only TEXT] [--long] [--minutes N]`: real processes on machines of
 * their own network, one fault after the other. It needs root, etcd, dockerd, iptables and a built checkout; everything
 * runs in namespaces that end with it.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureEtcd } from '../../support/setup/ensure-etcd.mjs'
import { ensurePrograms } from '../../support/setup/install.mjs'
import { type CampaignOptions, runCampaign } from './campaign.ts'
import { Findings } from './findings.ts'
import { MAIN } from './roles.ts'
import { makeRunFolder, removeRun, sweepLeftovers } from './run-folder.ts'

/** Where daemons are, which is not on every PATH. */
const SBIN = '/usr/local/sbin:/usr/sbin:/sbin'
const INSIDE = 'DROVER_CHAOS_ROOT'

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    hold: { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    long: { type: 'boolean', default: false },
    minutes: { type: 'string', default: 'Infinity' },
  },
})

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** Programs of Debian's, by package; what a user has installed is taken as it is. */
async function ensureTools(): Promise<void> {
  const log = (message: string): void => void process.stderr.write(`${message}\n`)
  await ensureEtcd({ log })
  await ensurePrograms({ programs: ['dockerd', 'iptables'], packages: ['docker.io', 'iptables'], log })
  await ensurePrograms({ programs: ['ip'], packages: ['iproute2'], log })
}

/** In namespaces of its own; a shell is the first process there and reaps the orphans, and with it everything ends. */
async function runApart(): Promise<number> {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`)
  if (process.getuid?.() !== 0) throw new Error('namespaces and firewall rules are made by root only: sudo')
  await ensureTools()
  sweepLeftovers()
  const root = makeRunFolder()
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount', '--mount-proc', '--net']
  const script = 'mount -t tmpfs tmpfs /run && "$@"; exit $?'
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1), '--seed', values.seed]
  const env = { ...process.env, [INSIDE]: root, TMPDIR: root, PATH: `${process.env.PATH}:${SBIN}` }
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
    limitMs: Number(values.minutes) * 60_000,
    long: values.long ? 'Yes' : 'No',
    print,
  }
  print(`seed ${values.seed}`)
  await runCampaign(options, findings)
  print(`${findings.all.length} findings; again: npx tsx test/e2e/chaos/main.ts --faults ${values.faults} --seed ${values.seed}`)
  return findings.all.length === 0 ? 0 : 1
}

const root = process.env[INSIDE]
process.exit(root === undefined ? await runApart() : await runHere(root))
