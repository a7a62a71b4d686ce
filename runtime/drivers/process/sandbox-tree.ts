import { childrenOf, groupOf, innermostPid, signalPid } from './proc.ts'

/*
 * The processes of a sandbox as the machine sees them: bwrap's monitor, which the agent knows as the task's process;
 * below it bwrap's init, the first of the inner namespace; below that the program, and what has lost its parent.
 */

/** In its own namespace; bwrap forks the program first of all. */
const PROGRAM_PID = 2

export interface SandboxTree {
  readonly init: number
  /** Never empty. */
  readonly members: readonly number[]
}

/** Null until it is complete, which is when bwrap forks the program: before that, its init may still see the whole machine. */
export async function sandboxTree(monitor: number): Promise<SandboxTree | null> {
  const [init] = await childrenOf(monitor)
  const members = init === undefined ? [] : await childrenOf(init)
  return init === undefined || members.length === 0 ? null : { init, members }
}

/**
 * Signals the program of a sandbox and its process group, never monitor and init: a monitor that dies takes all with it.
 * False while there is no program yet.
 */
export async function signalSandbox(monitor: number, signals: readonly NodeJS.Signals[]): Promise<boolean> {
  const tree = await sandboxTree(monitor)
  if (tree === null) return false
  for (const signal of signals) signalPid(-tree.init, signal)
  for (const pid of tree.members) {
    const isStray = (await innermostPid(pid)) === PROGRAM_PID && (await groupOf(pid)) !== tree.init
    if (isStray) for (const signal of signals) signalPid(pid, signal)
  }
  return true
}

/** Words before a command that make it run in the sandbox of that init, with the rights there that the agent had over it. */
export const enterWords = (init: number, sandbox: { readonly network: 'Host' | 'None'; readonly uid: number }): readonly string[] => [
  ...['nsenter', `--target=${init}`, '--mount', '--pid', '--ipc', '--uts'],
  ...(sandbox.network === 'None' ? ['--net'] : []),
  // An agent that is not root had bwrap make a user namespace, without which it has no right to the others.
  ...(sandbox.uid === 0 ? [] : ['--user', '--preserve-credentials']),
]
