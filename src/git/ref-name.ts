import type { Oid } from '../model/ids.ts'
import { GitError } from './git-backend.ts'

export type RefRequest = { readonly kind: 'commit'; readonly oid: Oid } | { readonly kind: 'name'; readonly candidates: readonly string[] }

const COMMIT = /^[0-9a-f]{40}$/
/** Stricter than `git check-ref-format`: letters, digits and a few signs, never an option, a range or a path trick. */
const SAFE = /^(?![-/.])(?!.*(?:\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)))[\p{L}\p{N}._/+@#=,-]{1,255}(?<![./])$/u
const FULL = /^refs\/(?:heads|tags|pull|merge-requests)\/./

/**
 * What a ref names: a commit, a full ref, or a short name that may be a branch or a tag.
 * @throws GitError `MissingRef` for text that can be none of them.
 */
export function parseRef(ref: string): RefRequest {
  if (COMMIT.test(ref)) return { kind: 'commit', oid: ref as Oid }
  if (!SAFE.test(ref)) throw new GitError('MissingRef', `${JSON.stringify(ref)} is not a branch, a tag or a commit id of 40 hex digits`)
  if (FULL.test(ref)) return { kind: 'name', candidates: [ref] }
  return { kind: 'name', candidates: [`refs/heads/${ref}`, `refs/tags/${ref}`] }
}

/** @throws GitError `MissingRef` for a name that cannot be a branch. */
export function branchRef(branch: string): string {
  const request = parseRef(branch)
  if (request.kind === 'commit') throw new GitError('MissingRef', `${branch} is a commit, not a branch`)
  const full = request.candidates[0] ?? ''
  if (!full.startsWith('refs/heads/')) throw new GitError('MissingRef', `${branch} is not a branch`)
  return full
}

/** @throws GitError `MissingRef` when there is none, `AmbiguousRef` when a branch and a tag share the name. */
export function onlyOne<T>(ref: string, found: readonly T[]): T {
  const [first, second] = found
  if (first === undefined) throw new GitError('MissingRef', `no branch or tag is named ${ref}`)
  if (second !== undefined) {
    throw new GitError('AmbiguousRef', `${ref} is both a branch and a tag; say refs/heads/${ref} or refs/tags/${ref}`)
  }
  return first
}
