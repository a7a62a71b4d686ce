import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { GitError } from './git-backend.ts'

/** Settings that outrank those of any repository: nothing that a repository names is run or contacted. */
const FORCED: readonly (readonly [key: string, value: string])[] = [
  ['core.fsmonitor', 'false'],
  ['core.alternateRefsCommand', 'true'],
  ['protocol.allow', 'never'],
  ['transfer.fsckObjects', 'true'],
]
const NO_HOOKS = ['core.hooksPath', '/dev/null'] as const

export type Hooks = 'hooks-of-the-remote' | 'no-hooks'

function baseEnv(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C' }
}

/** git reads no configuration but the repository's own, asks nobody and starts nothing. */
export function gitEnv(hooks: Hooks): NodeJS.ProcessEnv {
  const settings = hooks === 'no-hooks' ? [...FORCED, NO_HOOKS] : FORCED
  const pairs = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  return {
    ...baseEnv(),
    ...Object.fromEntries(pairs),
    HOME: '/nonexistent',
    GIT_CONFIG_COUNT: String(settings.length),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PROTOCOL_FROM_USER: '0',
    GIT_NO_LAZY_FETCH: '1',
  }
}

/** ssh needs its keys, its agent and its known_hosts, and nothing else. */
export function sshEnv(): NodeJS.ProcessEnv {
  const { HOME, USER, SSH_AUTH_SOCK } = process.env
  return { ...baseEnv(), HOME, USER, SSH_AUTH_SOCK }
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

/** Starts a program without a shell. @throws never: a missing program shows as an `error` event. */
export function start(command: Command): ChildProcessWithoutNullStreams {
  return spawn(command.program, command.args, { env: command.env, stdio: 'pipe', windowsHide: true })
}

/** How a child ended: its exit code (null when killed), or the error that kept it from starting. */
export function ended(child: ChildProcess): Promise<{ code: number | null; error: Error | null }> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, error }))
    child.once('close', (code) => resolve({ code, error: null }))
  })
}

export const notInstalled = (program: string, cause: unknown): GitError =>
  new GitError('Unsupported', `this needs the program ${program}, which could not be started`, { cause })

const MAX_STDERR = 4096

/** The last of what a child said on stderr, for messages. */
export function keepStderr(child: ChildProcessWithoutNullStreams): () => string {
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-MAX_STDERR)
  })
  return () => text.trim()
}

export interface GitRun {
  readonly gitdir: string
  readonly workTree: string
  readonly args: readonly string[]
  readonly signal: AbortSignal
}

export interface GitOutcome {
  readonly code: number | null
  readonly stderr: string
}

/** Runs the git program in a work tree. @throws GitError `Unsupported` when it is not installed. */
export async function runGit(run: GitRun): Promise<GitOutcome> {
  run.signal.throwIfAborted()
  const args = [`--git-dir=${run.gitdir}`, `--work-tree=${run.workTree}`, ...run.args]
  const child = spawn('git', args, { cwd: run.workTree, env: gitEnv('no-hooks'), stdio: 'pipe' })
  const stderr = keepStderr(child)
  child.stdout.resume()
  child.stdin.end()
  const { code, error } = await ended(child)
  if (error !== null) throw notInstalled('git', error)
  return { code, stderr: stderr() }
}
