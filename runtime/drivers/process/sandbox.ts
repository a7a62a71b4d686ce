import { realpath } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { nullOn, TerminalError } from '../../../src/lib/errors.ts'
import { SANDBOX_TMP, SANDBOX_WORK, type Sandbox } from '../../../src/model/process.ts'
import type { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { isAtOrInside } from './files.ts'
import type { Mount, View } from './view.ts'
import type { Home } from './work.ts'

/** A folder of the machine that every sandbox shows, and what it is behind its links. */
export interface SystemFolder {
  readonly path: string
  readonly real: string
}

/** What names are looked up by. A daemon's socket there would look them up for a task without a network, too, and so carry its words out. */
const RESOLVERS = ['/run/systemd/resolve', '/run/resolvconf']

/**
 * What programs need to run at all; Nomad's `exec` driver shows the same. All else (`/home`, `/root`, `/var`, `/run` with
 * the sockets of daemons, `/sys`) is not there: a socket can be connected to through a read-only mount.
 */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc', ...RESOLVERS]

async function folderAt(path: string): Promise<SystemFolder[]> {
  const real = await realpath(path).catch(nullOn('ENOENT', 'ENOTDIR'))
  return real === null ? [] : [{ path, real }]
}

const foldersAt = async (paths: readonly string[]): Promise<SystemFolder[]> => (await Promise.all(paths.map(folderAt))).flat()

/** Those of them that this machine has. */
export const systemFolders = (): Promise<SystemFolder[]> => foldersAt(SYSTEM)

/** Where a sandboxed task finds its own files. */
export const SANDBOX_HOME: Home = { work: SANDBOX_WORK, tmp: SANDBOX_TMP }

const readable = ({ path }: SystemFolder): Mount => ({ source: path, target: path, access: 'read' })

/** What a sandbox shows that holds nothing of a task. */
export const systemView = (folders: readonly SystemFolder[]): View => ({ mounts: folders.map(readable), hidden: [], note: '' })

export interface Surroundings {
  readonly policy: ProcessPolicy
  readonly system: readonly SystemFolder[]
  /** With state of the agent or the control plane: no sandbox ever shows them. */
  readonly privateDirs: readonly string[]
}

/** @throws TerminalError `HostPathNotAllowed`, `HostPathMissing` */
async function hostMount({ path, readOnly }: Sandbox['hostPaths'][number], { policy, privateDirs }: Surroundings): Promise<Mount> {
  const refused = (why: string) => new TerminalError('HostPathNotAllowed', `the agent does not let tasks see ${path}${why}`)
  const allowed = policy.hostPaths.find((one) => one.path === path)
  if (allowed === undefined) throw refused(': it is not in hostPaths of its policy')
  if (allowed.readOnly && !readOnly) throw refused(' but with readOnly: true')
  const source = await realpath(path).catch(nullOn('ENOENT', 'ENOTDIR'))
  if (source === null) throw new TerminalError('HostPathMissing', `this machine has no ${path}`)
  const own = privateDirs.find((dir) => isAtOrInside(source, dir) || isAtOrInside(dir, source))
  if (own !== undefined) throw refused(`: Drover keeps its own state in ${own}`)
  return { source, target: path, access: readOnly ? 'read' : 'write' }
}

function covered(folders: readonly SystemFolder[], privateDirs: readonly string[]): View['hidden'] {
  return folders.flatMap(({ path, real }) =>
    privateDirs.filter((dir) => isAtOrInside(real, dir)).map((dir) => ({ source: dir, target: join(path, relative(real, dir)) })),
  )
}

/**
 * What a sandboxed task sees but for its own files: what programs need, and what it asks for and the policy lists.
 * @throws TerminalError `HostPathNotAllowed`, `HostPathMissing`
 */
export async function sharedView({ sandbox }: UnitSpec, around: Surroundings): Promise<View> {
  const { policy, system } = around
  const privateDirs = (await foldersAt(around.privateDirs)).map(({ real }) => real)
  const needed = sandbox?.network === 'None' ? system.filter(({ path }) => !RESOLVERS.includes(path)) : system
  const folders = [...needed, ...(await foldersAt(policy.programs ?? []))]
  const hosts = await Promise.all((sandbox?.hostPaths ?? []).map((path) => hostMount(path, { ...around, privateDirs })))
  return { mounts: [...folders.map(readable), ...hosts], hidden: covered(folders, privateDirs), note: ' that its sandbox can see' }
}

/** The same, with its own files. */
export const withHome = (view: View, { work, tmp }: Home): View => {
  const own: readonly Mount[] = [
    { source: work, target: SANDBOX_HOME.work, access: 'write' },
    { source: tmp, target: SANDBOX_HOME.tmp, access: 'write' },
  ]
  return { ...view, mounts: [...view.mounts, ...own] }
}

/** Above it, from the root down. */
const foldersAbove = (path: string): readonly string[] => (dirname(path) === '/' ? [] : [...foldersAbove(dirname(path)), dirname(path)])

/** bwrap would make the folders above a mount for its own user alone. */
const mountWords = ({ source, target, access }: Mount): readonly string[] => [
  ...foldersAbove(target).flatMap((folder) => ['--dir', folder]),
  ...[access === 'read' ? '--ro-bind' : '--bind', source, target],
]

export interface SandboxPlan {
  readonly view: View
  readonly network: Sandbox['network']
  /** Of the agent. */
  readonly uid: number
}

/** What setpriv needs to become another user and to give up the rest for good; nothing of it reaches the task. */
const KEPT_FOR_SETPRIV = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP']

/**
 * For an agent that is not root: with terminals, which `--dev` brings, bwrap would have to go on into a second user
 * namespace, from which nothing leads into those of the sandbox that the command of a probe has to join.
 */
const FEW_DEVICES: readonly string[] = [
  ...['--tmpfs', '/dev'],
  ...['null', 'zero', 'full', 'random', 'urandom'].flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
  ...['--symlink', '/proc/self/fd', '/dev/fd'],
  ...['stdin', 'stdout', 'stderr'].flatMap((name, fd) => ['--symlink', `/proc/self/fd/${fd}`, `/dev/${name}`]),
]

/**
 * `bwrap` and its options. A session of its own, so that a task cannot signal its shim by the process group;
 * `--die-with-parent`, so that nothing of it outlives the process that the agent knows.
 */
export function sandboxWords({ view, network, uid }: SandboxPlan): readonly string[] {
  return [
    ...['bwrap', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try', '--new-session', '--die-with-parent'],
    ...(network === 'None' ? ['--unshare-net'] : []),
    ...['--cap-drop', 'ALL', ...(uid === 0 ? KEPT_FOR_SETPRIV.flatMap((name) => ['--cap-add', name]) : [])],
    ...['--proc', '/proc', ...(uid === 0 ? ['--dev', '/dev'] : FEW_DEVICES)],
    ...view.mounts.flatMap(mountWords),
    ...view.hidden.flatMap(({ target }) => ['--tmpfs', target, '--remount-ro', target]),
    ...['--perms', '1777', '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
    // Most of /proc/sys asks no rights of root but its number, and is the machine's.
    ...['--remount-ro', '/proc', '--remount-ro', '/'],
    ...['--chdir', '/', '--'],
  ]
}
