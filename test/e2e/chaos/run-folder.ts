import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { folderMark } from '../../../runtime/folder-mark.ts'

const PREFIX = 'drover-chaos-'
const OWNER = 'owner'
const CGROUPS = '/sys/fs/cgroup'

export const MACHINES = ['m1', 'm2', 'm3', 'm4'] as const
export type MachineName = (typeof MACHINES)[number]

/** The mark of the run is in the name of every cgroup that its agents and engines make. */
export const agentName = (root: string, machine: MachineName): string => `${machine}-${folderMark(root)}`
export const agentData = (root: string, machine: MachineName): string => join(root, machine, 'agent')
/** Where it keeps what it runs. */
export const agentState = (root: string, machine: MachineName): string => join(agentData(root, machine), 'agent')
export const dockerCgroup = (root: string, machine: MachineName): string => `/${PREFIX}docker-${agentName(root, machine)}`

/** A folder with everything of one run, owned by this process. */
export function makeRunFolder(): string {
  const root = mkdtempSync(join(tmpdir(), PREFIX))
  writeFileSync(join(root, OWNER), `${process.pid} ${startTime(process.pid)}`)
  mkdirSync(join(root, 'logs'))
  return root
}

/** Removes what runs left whose owner is dead; their processes, mounts and networks ended with their namespaces. */
export function sweepLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const root = join(tmpdir(), name)
    const owner = join(root, OWNER)
    if (existsSync(owner) && !isAlive(readFileSync(owner, 'utf8'))) removeRun(root)
  }
}

/** The folder of a run, and the cgroups that its agents and engines had. */
export function removeRun(root: string): void {
  const mark = folderMark(root)
  for (const base of cgroupsNamed((name) => name.startsWith('drover-') && name.includes(mark))) removeCgroup(base)
  rmSync(root, { recursive: true, force: true, maxRetries: 5 })
}

/** In every hierarchy of version 1 and in the unified one; agents make theirs at the top or below their own. */
function cgroupsNamed(matches: (name: string) => boolean, folder = CGROUPS, depth = 3): string[] {
  if (depth === 0) return []
  return childrenOf(folder).flatMap((name) => {
    const path = join(folder, name)
    return matches(name) ? [path] : cgroupsNamed(matches, path, depth - 1)
  })
}

function removeCgroup(path: string): void {
  for (const child of childrenOf(path)) removeCgroup(join(path, child))
  rmdirSync(path)
}

const childrenOf = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : []

/** Field 22 of Linux' stat, which tells a process from a later one of the same number. */
const startTime = (pid: number): string => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

function isAlive(owner: string): boolean {
  const [pid = '', started = ''] = owner.split(' ')
  try {
    return startTime(Number(pid)) === started
  } catch {
    return false
  }
}
