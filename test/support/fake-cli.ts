import { createApi } from '../../src/api/app.ts'
import type { CliClock, CliDeps, Roles } from '../../src/cli/deps.ts'
import { runCli } from '../../src/cli/main.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { type FakeControl, fakeControl } from './fake-control.ts'
import { fakeGate } from './fake-gate.ts'
import { LEADS } from './fake-leader.ts'
import { NOW } from './fake-views.ts'

interface CliRun {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** Roles that end at once. */
export const IDLE: Roles = { up: async () => 0, server: async () => 0, agent: async () => 0, down: async () => 0 }

export interface CliHarness {
  readonly deps: CliDeps
  /** What has been printed so far. */
  readonly printed: () => { stdout: string; stderr: string }
  run(...argv: string[]): Promise<CliRun>
}

/** The real command line against the real API over a fake control plane, without a port. */
export function cliOver(control: FakeControl = fakeControl(), over: Partial<CliDeps> = {}): CliHarness {
  const api = createApi({ control, gate: fakeGate(), leader: LEADS, guard: null, log: silentLog, clock: systemClock })
  const text = { stdout: '', stderr: '' }
  const deps: CliDeps = {
    stdout: { write: (chunk) => (text.stdout += chunk) },
    stderr: { write: (chunk) => (text.stderr += chunk) },
    env: { USER: 'ann', HOME: '/home/ann' },
    isTTY: { stdin: false, stdout: false, stderr: false },
    cwd: process.cwd(),
    signal: new AbortController().signal,
    clock: stillClock,
    version: '0.1.0',
    fetch: async (input, init) => api.fetch(new Request(input, init)),
    trustingFetch: async (roots) => (await import('../../src/main/trusting-fetch.ts')).trustingFetch(roots),
    ask: async () => 'n',
    roles: IDLE,
    readRepo: async () => ({ revision: 'main@sha1:x', files: [] }),
    backups: async () => (await import('../../src/main/backup-tools.ts')).backupTools({ env: deps.env, version: deps.version }),
    secrets: async () => (await import('../../src/main/secret-tools.ts')).secretTools(deps.env),
    ...over,
  }
  return {
    deps,
    printed: () => ({ ...text }),
    run: async (...argv) => {
      text.stdout = ''
      text.stderr = ''
      const exit = await runCli(argv, deps)
      return { exit, ...text }
    },
  }
}

/** Real deadlines, but a wall clock that stands still, so ages are always the same. */
const stillClock: CliClock = { ...systemClock, now: () => NOW }
