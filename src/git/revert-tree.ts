import type { Clock } from '../lib/clock.ts'
import type { Oid } from '../model/ids.ts'
import { type CommitInfo, GitError, type RevertOptions } from './git-backend.ts'
import { type LooseWriter, writeLoose } from './objects/loose-write.ts'
import { DIRECTORY_MODE, isDirectory, serializeTree, type TreeEntry } from './objects/parse.ts'
import { entryAt, pathSegments, type Reader, readTree } from './walk.ts'

export interface RevertPlan {
  readonly reader: Reader
  readonly writer: LooseWriter
  readonly clock: Clock
  readonly tip: CommitInfo
  readonly target: CommitInfo
  readonly options: RevertOptions
}

type Placed = Pick<TreeEntry, 'mode' | 'oid'>

/** A tree with one path replaced or (null) removed; other entries keep their very bytes, and empty folders vanish. */
async function withPath(plan: RevertPlan, tree: Oid | null, change: { path: readonly string[]; to: Placed | null }): Promise<Oid | null> {
  const [head = '', ...rest] = change.path
  const name = Buffer.from(head)
  const entries = tree === null ? [] : await readTree(plan.reader, tree)
  const present = entries.find((entry) => entry.name.equals(name))
  const inner = present !== undefined && isDirectory(present.mode) ? present.oid : null
  const below = rest.length === 0 ? change.to : await folder(plan, inner, { path: rest, to: change.to })
  // Removing below something that is no folder changes nothing.
  const kept = below === null && rest.length > 0 && inner === null ? present : below
  const others = entries.filter((entry) => !entry.name.equals(name))
  const next = kept === undefined || kept === null ? others : [...others, { name, mode: kept.mode, oid: kept.oid }]
  return next.length === 0 ? null : writeLoose(plan.writer, 'tree', serializeTree(next))
}

async function folder(plan: RevertPlan, tree: Oid | null, change: { path: readonly string[]; to: Placed | null }): Promise<Placed | null> {
  const oid = await withPath(plan, tree, change)
  return oid === null ? null : { mode: DIRECTORY_MODE, oid }
}

/** The tip's tree with every path as it was at the target; `.` is the whole tree. */
async function revertedTree(plan: RevertPlan): Promise<Oid> {
  let tree: Oid | null = plan.tip.tree
  for (const path of plan.options.paths) {
    const segments = pathSegments(path)
    if (segments.includes('.git')) throw new GitError('MissingPath', `${path} is not a path inside the repository`)
    if (segments.length === 0) return plan.target.tree
    tree = await withPath(plan, tree, { path: segments, to: await entryAt(plan.reader, plan.target.tree, path) })
  }
  return tree ?? writeLoose(plan.writer, 'tree', Buffer.alloc(0))
}

/** Nothing that ends a header line or a name may come from outside. */
const plain = (text: string): string => text.replace(/[<>\0\n\r]/g, '').trim()

function commitText(plan: RevertPlan, tree: Oid): string {
  const { author, message } = plan.options
  const who = `${plain(author.name)} <${plain(author.email)}> ${Math.floor(plan.clock.now() / 1000)} +0000`
  return `tree ${tree}\nparent ${plan.tip.oid}\nauthor ${who}\ncommitter ${who}\n\n${message.replaceAll('\0', '').trimEnd()}\n`
}

/** Writes the commit that a revert adds, without moving any ref. @returns the tip itself when there is nothing to change. */
export async function writeRevertCommit(plan: RevertPlan): Promise<Oid> {
  const tree = await revertedTree(plan)
  return tree === plan.tip.tree ? plan.tip.oid : writeLoose(plan.writer, 'commit', Buffer.from(commitText(plan, tree)))
}
