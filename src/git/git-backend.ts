import type { Oid } from '../model/ids.ts'

/** A blob under a path of a commit; directories are walked, never returned. */
export interface TreeFile {
  /** From the walked root, with `/`. */
  readonly path: string
  readonly oid: Oid
  readonly mode: 'file' | 'executable'
  /** Bytes, where the backend knows it without reading the blob. */
  readonly size: number | null
}

export interface CommitInfo {
  readonly oid: Oid
  readonly tree: Oid
  readonly parents: readonly Oid[]
  /** First line of the message. */
  readonly subject: string
  readonly author: string
  /** Milliseconds since 1970. */
  readonly committedAt: number
}

/** One repository's objects and refs. Never a checkout, never a hook, never a symlink or submodule followed. */
export interface GitRepository {
  /**
   * Newest commit of a branch, tag or full commit id; fetches when the remote has moved.
   * @throws GitError with a code that says what to do.
   */
  resolve(ref: string, signal: AbortSignal): Promise<CommitInfo>
  /** @throws GitError `MissingPath` when the commit has no such folder. */
  treeAt(commit: Oid, path: string): Promise<Oid>
  /** Regular files below a tree, sorted by path. Symlinks and submodules are named in `refused`. */
  files(tree: Oid, signal: AbortSignal): Promise<{ files: readonly TreeFile[]; refused: readonly string[] }>
  blob(oid: Oid): Promise<Uint8Array>
  /**
   * Writes a commit on `branch` whose tree is the present one with each of `paths` as it was at `target`
   * (a path that was not there then is removed), and pushes it where the repository is a remote.
   * @throws GitError `Rejected` when the branch moved meanwhile or the remote refuses.
   */
  revert(options: RevertOptions, signal: AbortSignal): Promise<Oid>
  close(): Promise<void>
}

export interface RevertOptions {
  readonly branch: string
  readonly target: Oid
  readonly paths: readonly string[]
  readonly message: string
  readonly author: { readonly name: string; readonly email: string }
}

export type GitErrorCode =
  | 'Unreachable'
  | 'AuthFailed'
  | 'MissingRef'
  | 'AmbiguousRef'
  | 'MissingPath'
  | 'Corrupt'
  | 'TooLarge'
  | 'Rejected'
  | 'Unsupported'
  | 'Timeout'

export class GitError extends Error {
  override name = 'GitError'
  readonly code: GitErrorCode
  constructor(code: GitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
