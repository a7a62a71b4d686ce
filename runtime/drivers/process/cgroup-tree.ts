import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hasCode, messageOf, nullOn } from '../../../src/lib/errors.ts'

const run = promisify(execFile)

/** What a cgroup directory can do; v2 may offer several at once, v1 has a hierarchy each. */
export type Ability = 'kill' | 'freeze' | 'memory' | 'cpu' | 'pids'

export interface Hierarchy {
  readonly version: 1 | 2
  /** `.../drover-<agent>-<mark>`, in which each attempt has a leaf. */
  readonly base: string
  readonly abilities: ReadonlySet<Ability>
}

/** The hierarchies this agent may use, found by writing; empty where none is writable. */
export type CgroupTree = readonly Hierarchy[]

interface Mount {
  readonly version: 1 | 2
  readonly path: string
  readonly controllers: readonly string[]
}

const V1_ABILITIES: Readonly<Record<string, Ability>> = { memory: 'memory', cpu: 'cpu', pids: 'pids', freezer: 'freeze' }
const PROBE = '.probe'

/** Reads a line of /proc/self/mounts: device, path, type, options. */
function parseMount(line: string): Mount | null {
  const [, path = '', type, options = ''] = line.split(' ')
  if (type === 'cgroup2') return { version: 2, path, controllers: [] }
  return type === 'cgroup' ? { version: 1, path, controllers: options.split(',') } : null
}

/** Our own cgroup in that hierarchy, from /proc/self/cgroup: where we may write if the root is not ours. */
function ownPath(mount: Mount, self: string): string {
  const mine = (names: string): boolean =>
    mount.version === 2 ? names === '' : names.split(',').some((n) => mount.controllers.includes(n))
  for (const line of self.split('\n')) {
    const [, names = '', ...path] = line.split(':')
    if (line !== '' && mine(names)) return join(mount.path, ...path)
  }
  return mount.path
}

async function enableControllers(dir: string): Promise<void> {
  for (const controller of ['memory', 'cpu', 'pids']) {
    // Refused where the controller is bound to v1 or not delegated; what was granted is read afterwards.
    await writeFile(join(dir, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined)
  }
}

async function v2Abilities(leaf: string): Promise<Set<Ability>> {
  const names = await readdir(leaf)
  const found = new Set<Ability>()
  if (names.includes('cgroup.kill')) found.add('kill')
  if (names.includes('cgroup.freeze')) found.add('freeze')
  for (const ability of ['memory', 'cpu', 'pids'] as const) if (names.includes(`${ability}.max`)) found.add(ability)
  return found
}

const v1Abilities = (mount: Mount): Set<Ability> => new Set(mount.controllers.flatMap((name) => V1_ABILITIES[name] ?? []))

/** A leaf is made and a process put into it, for a mount table says little of what is allowed. */
async function probe(mount: Mount, base: string): Promise<Hierarchy> {
  await mkdir(base, { recursive: true })
  if (mount.version === 2) {
    await enableControllers(join(base, '..'))
    await enableControllers(base)
  }
  const leaf = join(base, PROBE)
  await mkdir(leaf).catch(nullOn('EEXIST'))
  try {
    await run('sh', ['-c', 'echo 0 > "$1"', 'sh', join(leaf, 'cgroup.procs')])
    const abilities = mount.version === 2 ? await v2Abilities(leaf) : v1Abilities(mount)
    return { version: mount.version, base, abilities }
  } finally {
    await rmdir(leaf).catch(nullOn('ENOENT', 'EBUSY'))
  }
}

async function usable(mount: Mount, own: string, name: string): Promise<Hierarchy | string> {
  let refusal = ''
  for (const parent of new Set([mount.path, own])) {
    const found = await probe(mount, join(parent, name)).catch((error: unknown) => messageOf(error))
    if (typeof found !== 'string') return found
    refusal = found
  }
  return refusal
}

const useful = (mount: Mount): boolean => mount.version === 2 || v1Abilities(mount).size > 0

/** Finds what this agent may use of cgroups v1 and v2, and why not the rest. */
export async function probeCgroups(name: string): Promise<{ tree: CgroupTree; refusals: readonly string[] }> {
  const [mounts, self] = await Promise.all([readFile('/proc/self/mounts', 'utf8'), readFile('/proc/self/cgroup', 'utf8')])
  const candidates = mounts.split('\n').map(parseMount)
  const tree: Hierarchy[] = []
  const refusals: string[] = []
  for (const mount of candidates) {
    if (mount === null || !useful(mount)) continue
    const found = await usable(mount, ownPath(mount, self), name)
    if (typeof found === 'string') refusals.push(found)
    else tree.push(found)
  }
  return { tree, refusals }
}

/** Removes the agent's own directories; leaves of attempts keep them, and so does whoever delegated one to an agent that is not root. */
export async function removeBases(tree: CgroupTree): Promise<void> {
  for (const { base } of tree) {
    await rmdir(base).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT', 'EBUSY', 'ENOTEMPTY', 'EACCES', 'EPERM')) throw error
    })
  }
}

export const exists = async (path: string): Promise<boolean> => (await stat(path).catch(nullOn('ENOENT'))) !== null
