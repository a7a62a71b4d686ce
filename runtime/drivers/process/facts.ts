import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { hasCode, messageOf } from '../../../src/lib/errors.ts'
import { type CgroupTree, probeCgroups } from './cgroup-tree.ts'
import { readBootId } from './proc.ts'
import { type SystemFolder, sandboxWords, systemFolders, systemView } from './sandbox.ts'

const run = promisify(execFile)

/** What was found of this machine when the driver began. */
export interface Facts {
  readonly boot: string
  readonly uid: number
  readonly gid: number
  readonly setpriv: 'setpriv' | null
  readonly cgroups: CgroupTree
  readonly refusals: readonly string[]
  /** Why bwrap makes no sandbox; null: it does. */
  readonly sandbox: string | null
  /** What sandboxes show of it. */
  readonly system: readonly SystemFolder[]
}

type Run = (program: string, args: readonly string[]) => Promise<unknown>

const works = (running: Promise<unknown>): Promise<boolean> =>
  running.then(
    () => true,
    () => false,
  )

/** Makes one, for neither a version nor a mount table says what a kernel allows. */
async function whyNoSandbox(call: Run, system: readonly SystemFolder[], uid: number): Promise<string | null> {
  for (const program of ['setpriv', 'nsenter']) if (!(await works(call(program, ['--version'])))) return `it needs ${program} (util-linux)`
  const [bwrap = '', ...words] = sandboxWords({ view: systemView(system), network: 'Host', uid })
  return call(bwrap, [...words, 'setpriv', '--no-new-privs', 'env', '--chdir=/', 'true']).then(
    () => null,
    (error: unknown) => (hasCode(error, 'ENOENT') ? 'install bubblewrap' : (messageOf(error).trim().split('\n').at(-1) ?? '')),
  )
}

/** `path`: where the driver finds its own programs. @throws Error when this machine cannot run process tasks at all, and why. */
export async function probeFacts(cgroupName: string, path: string): Promise<Facts> {
  const call: Run = (program, args) => run(program, [...args], { env: { PATH: path } })
  if (process.platform !== 'linux') throw new Error('process tasks need Linux')
  if (!(await works(call('setsid', ['--fork', 'true'])))) throw new Error('process tasks need setsid (util-linux)')
  if (!(await works(call('prlimit', ['--core=0:0', 'true'])))) throw new Error('process tasks need prlimit (util-linux)')
  const ids = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
  const system = await systemFolders()
  const [boot, setpriv, found, sandbox] = await Promise.all([
    readBootId(),
    works(call('setpriv', ['--no-new-privs', 'true'])),
    probeCgroups(cgroupName).catch((error: unknown) => ({ tree: [], refusals: [messageOf(error)] })),
    whyNoSandbox(call, system, ids.uid),
  ])
  return { boot, ...ids, setpriv: setpriv ? 'setpriv' : null, cgroups: found.tree, refusals: found.refusals, sandbox, system }
}
