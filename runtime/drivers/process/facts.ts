import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { messageOf } from '../../../src/lib/errors.ts'
import { type CgroupTree, probeCgroups } from './cgroup-tree.ts'
import { readBootId } from './proc.ts'

const run = promisify(execFile)

/** What was found of this machine when the driver began. */
export interface Facts {
  readonly boot: string
  readonly uid: number
  readonly gid: number
  readonly setpriv: 'setpriv' | null
  readonly cgroups: CgroupTree
  readonly refusals: readonly string[]
}

const works = (program: string, args: readonly string[]): Promise<boolean> =>
  run(program, [...args]).then(
    () => true,
    () => false,
  )

/** @throws Error when this machine cannot run process tasks at all, and why. */
export async function probeFacts(cgroupName: string): Promise<Facts> {
  if (process.platform !== 'linux') throw new Error('process tasks need Linux')
  if (!(await works('setsid', ['--fork', 'true']))) throw new Error('process tasks need setsid (util-linux)')
  const [boot, setpriv, found] = await Promise.all([
    readBootId(),
    works('setpriv', ['--no-new-privs', 'true']),
    probeCgroups(cgroupName).catch((error: unknown) => ({ tree: [], refusals: [messageOf(error)] })),
  ])
  const ids = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
  return { boot, ...ids, setpriv: setpriv ? 'setpriv' : null, cgroups: found.tree, refusals: found.refusals }
}
