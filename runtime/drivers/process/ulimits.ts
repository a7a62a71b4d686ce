import { readFile } from 'node:fs/promises'
import { TerminalError } from '../../../src/lib/errors.ts'
import type { Ulimits } from '../../../src/model/process.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import type { Facts } from './facts.ts'

/** Their rows in /proc/PID/limits. */
const ROWS: Readonly<Record<keyof Ulimits, string>> = {
  nofile: 'Max open files',
  nproc: 'Max processes',
  core: 'Max core file size',
  fsize: 'Max file size',
}
const NAMES = ['nofile', 'nproc', 'core', 'fsize'] as const

/** `prlimit` and its options; without a word of the manifest there are no core dumps, which may hold secrets. */
export function ulimitWords({ ulimits = {} }: UnitSpec): readonly string[] {
  const asked = { core: 0, ...ulimits }
  return ['prlimit', ...NAMES.flatMap((name) => (asked[name] === undefined ? [] : [`--${name}=${asked[name]}:${asked[name]}`]))]
}

/** The most that a process without rights may give itself; infinite where nothing is said. */
function hardLimit(limits: string, name: keyof Ulimits): number {
  const [, hard] = new RegExp(`^${ROWS[name]} +\\S+ +(\\d+)`, 'm').exec(limits) ?? []
  return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard)
}

/** @throws TerminalError `UlimitTooHigh` for more than an agent that is not root may give. */
export async function checkUlimits({ ulimits = {} }: UnitSpec, { uid }: Facts): Promise<void> {
  if (uid === 0) return
  const limits = await readFile('/proc/self/limits', 'utf8')
  for (const name of NAMES) {
    const most = hardLimit(limits, name)
    if ((ulimits[name] ?? 0) > most) throw new TerminalError('UlimitTooHigh', `ulimits.${name}: this agent may give at most ${most}`)
  }
}
