import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttemptRef, Driver } from '../../../runtime/driver.ts'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { createProcessDriver, type ProcessDriverOptions } from '../../../runtime/drivers/process/driver.ts'
import { layoutOf } from '../../../runtime/drivers/process/names.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { TaskSpec, type UnitSpec } from '../../../src/model/task-spec.ts'
import type { Behaviour, DriverHarness, Outside } from '../driver-suite.ts'

/** Writes one line per real start, before anything else. */
const BEGIN = 'echo started >> "$LEDGER/$DROVER_TASK.$DROVER_ATTEMPT"; '
const PRINT =
  'n=$1; shift; while [ "$n" -gt 0 ]; do printf "%s\\n" "$1"; shift; n=$((n-1)); done; for l; do printf "%s\\n" "$l" >&2; done; '
/** Double fork and setsid, deaf to TERM: what a daemon does. */
const DAEMONS = `trap "" TERM; (setsid sh -c 'sleep 1000 & exec sleep 1000' &) ; `

const SERVER = `const statuses = { '/': 200, '/missing': 404, '/moved': 302 }
require('node:http').createServer((request, response) => {
  const status = statuses[request.url]
  if (status !== undefined) response.writeHead(status, { location: '/nowhere' }).end('a body')
}).listen(Number(process.argv[1]))`

const shell = (text: string, args: readonly string[] = []): string[] => ['sh', '-c', BEGIN + text, 'sh', ...args]

function commandFor(behaviour: Behaviour): string[] {
  switch (behaviour.kind) {
    case 'run':
      return shell('exec sleep 1000')
    case 'exit':
      return shell('sleep "$1"; exit "$2"', [String(behaviour.afterMs / 1000), String(behaviour.code)])
    case 'print':
      return shell(PRINT + (behaviour.end === 'run' ? 'exec sleep 1000' : ''), [
        String(behaviour.stdout.length),
        ...behaviour.stdout,
        ...behaviour.stderr,
      ])
    case 'printSlowly':
      return shell('s=$1; shift; for l; do printf "%s\\n" "$l"; sleep "$s"; done', [String(behaviour.everyMs / 1000), ...behaviour.lines])
    case 'ignoreTerm':
      return ['sh', '-c', `trap "" TERM; ${BEGIN} exec sleep 1000`]
    case 'tree':
      return shell(`${DAEMONS} exec sleep 1000`)
    case 'killed':
      return shell('kill -KILL $$')
    case 'serve':
      return [process.execPath, '-e', SERVER, '--', String(behaviour.port)]
    case 'failStart':
      return ['/no/such/program']
  }
}

/** A task of one process; `unit` says what is not ordinary. */
export function processSpec(command: readonly string[], unit: Partial<UnitSpec> = {}): TaskSpec {
  const plain = { name: 'main', command, args: [], env: {}, limits: {}, ports: [], mounts: [], artifacts: [] }
  const rest = { volumes: [], hostNetwork: false, restartPolicy: 'Never', maxRestarts: null, gracePeriodSeconds: 30, labels: {} }
  return TaskSpec.parse({ driver: 'process', units: [{ ...plain, ...unit }], ...rest })
}

/** Ends everything the driver owns, and the driver. */
export async function clearAway(driver: Driver): Promise<void> {
  for (const ref of await driver.owned()) await driver.remove(ref)
  await driver.close()
}

const readOr = (path: string): Promise<string> => readFile(path, 'latin1').catch(() => '')

const statOf = async (pid: number): Promise<string[]> => (await readOr(`/proc/${pid}/stat`)).replace(/^.*\) /s, '').split(' ')

/** A real process's pid, never 0 or 1: a signal to those would hit much more. */
export function realPid(text: string | undefined): number {
  const pid = Number(text)
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`no pid: ${text}`)
  return pid
}

/** The launcher of a driver in that process. */
export async function launcherOf(parent: number): Promise<number> {
  const isIts = async (pid: string): Promise<boolean> => {
    const line = await readOr(`/proc/${pid}/cmdline`)
    return line.includes('setsid --fork') && (await statOf(Number(pid)))[1] === String(parent)
  }
  for (const name of await readdir('/proc')) if (await isIts(name)) return realPid(name)
  throw new Error('no launcher')
}

/** Every living process that carries the attempt in its environment; the shim does not, so it is not counted. */
export async function livingPids(ref: AttemptRef): Promise<number[]> {
  const pids: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const environment = (await readOr(`/proc/${name}/environ`)).split('\0')
    if (!environment.includes(`DROVER_TASK=${ref.task}`) || !environment.includes(`DROVER_ATTEMPT=${ref.attempt}`)) continue
    const state = (await readOr(`/proc/${name}/stat`)).replace(/^.*\) /s, '')[0]
    if (state !== undefined && state !== 'Z') pids.push(Number(name))
  }
  return pids
}

const there = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

export interface ProcessHarness extends DriverHarness {
  readonly stateDir: string
  readonly ledger: string
  make(options?: Partial<ProcessDriverOptions>): Driver
}

/** Where every trace of an attempt could be. */
async function tracesOf(stateDir: string, agent: string, ref: AttemptRef): Promise<string[]> {
  const layout = layoutOf(stateDir)
  const key = `${ref.task}.${ref.attempt}`
  const { tree: cgroups } = await probeCgroups(`drover-${agent}-${layout.mark}`)
  const places = [join(layout.attempts, key), join(layout.foreign, key), ...cgroups.map(({ base }) => join(base, key))]
  const found = await Promise.all(places.map(async (path) => ((await there(path)) ? [path] : [])))
  return [...found.flat(), ...(await readdir(join(layout.attempts, '.trash')).catch(() => []))]
}

export async function processHarness(unit: Partial<UnitSpec> = {}): Promise<ProcessHarness> {
  // Not in /tmp, of which a sandbox has its own.
  const root = await mkdtemp('/var/tmp/drover-process-')
  const [stateDir, ledger, agent] = [join(root, 'state'), join(root, 'ledger'), 'test']
  await mkdir(ledger)
  // A sandboxed task is nobody.
  await chmod(ledger, 0o777)
  const hostPaths = [{ path: ledger, readOnly: false }]
  const policy = { ...DEFAULT_PROCESS_POLICY, hostPaths }
  const make = (options: Partial<ProcessDriverOptions> = {}) =>
    createProcessDriver({ stateDir, agent, clock: systemClock, log: silentLog, policy, ...options })
  const confined: Partial<UnitSpec> = unit.isolation === 'sandbox' ? { sandbox: { network: 'Host', hostPaths } } : {}
  const outside = async (ref: AttemptRef): Promise<Outside> => ({
    starts: (await readOr(join(ledger, `${ref.task}.${ref.attempt}`))).split('\n').filter(Boolean).length,
    alive: (await livingPids(ref)).length,
    traces: await tracesOf(stateDir, agent, ref),
  })
  return {
    stateDir,
    ledger,
    files: { artifacts: {}, secrets: new Map() },
    make,
    create: async () => make(),
    destroy: async () => {
      const { mark, foreign } = layoutOf(stateDir)
      await removeBases((await probeCgroups(`drover-${agent}-${mark}`)).tree)
      await rm(foreign, { recursive: true, force: true })
      await rm(root, { recursive: true, force: true })
    },
    spec: (behaviour) => processSpec(commandFor(behaviour), { env: { LEDGER: ledger }, ...confined, ...unit }),
    outside,
  }
}
