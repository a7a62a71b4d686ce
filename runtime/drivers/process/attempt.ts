import { randomBytes } from 'node:crypto'
import { link, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { nullOn } from '../../../src/lib/errors.ts'
import { readIfThere } from './files.ts'
import type { AttemptPaths } from './names.ts'
import { type Identity, livingGroup, type ShimSession } from './proc.ts'
import { type Claim, decide, type Finding, type Verdict } from './recovery.ts'
import { type LastWord, parseExit } from './script.ts'

/** What was decided before the attempt was started, and what a later agent needs of it. */
export const Intent = z.object({
  task: z.string(),
  attempt: z.number().int(),
  unit: z.string(),
  boot: z.string(),
  /** Runs in cgroups, so these know its processes. */
  cgroups: z.boolean(),
  /** Its process is the monitor of a sandbox, not its program. */
  sandboxed: z.boolean().default(false),
  createdAt: z.number(),
})
export type Intent = z.infer<typeof Intent>

/** Terminal record; written once, when the tree is gone. */
export const Result = z.object({
  exitCode: z.number().int().nullable(),
  signal: z.string().nullable(),
  reason: z.string(),
  startedAt: z.number().nullable(),
  finishedAt: z.number(),
  /** Null where no memory cgroup counted it. */
  peakMemoryBytes: z.number().nullable(),
  cpuMicros: z.number(),
})
export type Result = z.infer<typeof Result>

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readIfThere(path)
  return text === null ? null : schema.parse(JSON.parse(text))
}

export const readIntent = (paths: AttemptPaths): Promise<Intent | null> => readJson(paths.intent, Intent)
export const readResult = (paths: AttemptPaths): Promise<Result | null> => readJson(paths.result, Result)

const AGENT_CLAIM = 'agent\n'

/** True when this agent has the claim: the attempt never starts. Linking makes the file with its text in one step. */
export async function claimForAgent(paths: AttemptPaths): Promise<boolean> {
  // Nothing is written when it is decided already, so that on a full disk what ran can still be stopped and removed.
  const { by } = await readClaim(paths)
  if (by !== 'nobody') return by === 'agent'
  await mkdir(paths.dir, { recursive: true, mode: 0o700 })
  const aside = `${paths.claim}.${randomBytes(4).toString('hex')}`
  await writeFile(aside, AGENT_CLAIM, { mode: 0o600 })
  await link(aside, paths.claim).catch(nullOn('EEXIST'))
  await rm(aside, { force: true })
  return (await readClaim(paths)).by === 'agent'
}

export async function readClaim(paths: AttemptPaths): Promise<Claim> {
  const text = await readIfThere(paths.claim)
  if (text === null) return { by: 'nobody' }
  if (text === AGENT_CLAIM) return { by: 'agent' }
  const [, pid, startTime, boot] = /^shim (\d+) (\d+) (\S+)\n$/.exec(text) ?? []
  if (pid === undefined || startTime === undefined || boot === undefined) return { by: 'unknown' }
  return { by: 'shim', shim: { pid: Number(pid), startTime, boot } }
}

/** The task's own process as it wrote itself down; null before that. */
async function readTask(paths: AttemptPaths): Promise<Identity | null> {
  const [, pid, startTime, boot] = /^(\d+) (\d+) (\S+) \d+ \d+\n$/.exec((await readIfThere(paths.pid)) ?? '') ?? []
  if (pid === undefined || startTime === undefined || boot === undefined) return null
  return { pid: Number(pid), startTime, boot }
}

const readExit = async (paths: AttemptPaths): Promise<LastWord | null> => parseExit(await readIfThere(paths.exit))

export async function modifiedAt(path: string): Promise<number | null> {
  const found = await stat(path).catch(nullOn('ENOENT', 'ENOTDIR'))
  return found === null ? null : Math.floor(found.mtimeMs)
}

export interface Observation {
  readonly verdict: Verdict
  readonly intent: Intent | null
  readonly task: Identity | null
  /** Process group of the living task. */
  readonly group: number | null
  /** Null before a shim has claimed it. */
  readonly session: ShimSession | null
  /** False: every pid that was written down is anybody's now. */
  readonly sameBoot: boolean
  /** It has a claim, but neither a living process nor an exit code. */
  readonly silent: boolean
}

/** Looks at the disk and at /proc once, and decides by the table. `silentMs`: for how long it has been `silent`. */
export async function observe(paths: AttemptPaths, boot: string, silentMs: number): Promise<Observation> {
  const [claim, early, intent] = await Promise.all([readClaim(paths), readTask(paths), readIntent(paths)])
  const shim = claim.by === 'shim' ? claim.shim : null
  const group = early === null ? null : await livingGroup(early, boot)
  const shimAlive = shim !== null && (await livingGroup(shim, boot)) !== null
  // Read after the processes were looked at: a shim that was seen dead has written by now what it ever will.
  const lastWord = await readExit(paths)
  const exitCode = lastWord?.exitCode ?? null
  // A quick task may have come and gone between the two reads.
  const task = early ?? (lastWord === null ? null : await readTask(paths))
  const silent = claim.by !== 'nobody' && claim.by !== 'agent' && exitCode === null && group === null && !shimAlive
  const state = { claim, exitCode, hasPid: task !== null, taskAlive: group !== null, shimAlive }
  const sameBoot = intent === null || intent.boot === boot
  const finding: Finding = { ...state, sameBoot, silentMs: silent ? silentMs : 0 }
  const session = shim === null ? null : { shim, heldAt: lastWord?.at ?? Number((task ?? shim).startTime) }
  return { verdict: decide(finding), intent, task, group, session, sameBoot, silent }
}
