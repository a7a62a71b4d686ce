/** Bounds that keep a hostile or careless repository from taking the leader's memory or time. */
export interface GitCaps {
  /** Bytes of one answer of a remote, which holds one pack. */
  readonly packBytes: number
  /** Inflated bytes of one object that is read. */
  readonly objectBytes: number
  /** Inflated bytes of one object that merely lies in a fetched pack. */
  readonly packedObjectBytes: number
  /** Inflated bytes of all objects of one fetched pack together. */
  readonly inflatedBytes: number
  /** Files and folders visited by one walk. */
  readonly treeEntries: number
  /** Folders below each other. */
  readonly pathDepth: number
  /** Milliseconds for one fetch or push. */
  readonly deadlineMs: number
  /** Milliseconds for asking where refs point: whoever does not answer is to be seen as failing within half a minute. */
  readonly askDeadlineMs: number
  /** Milliseconds without a byte of an answer over HTTP; a git that is busy with a pack says something every 5 s (`uploadpack.keepAlive`). */
  readonly silenceMs: number
  /** Commits of history in a new clone. */
  readonly cloneDepth: number
  /** Packs after which a clone is replaced, as nothing ever repacks it. */
  readonly packs: number
}

const MIB = 1024 * 1024

/** Numbers from the caps proposed in the GitOps research; the clone recipe from trials with isomorphic-git 1.44. */
export const DEFAULT_CAPS: GitCaps = {
  packBytes: 256 * MIB,
  objectBytes: 10 * MIB,
  packedObjectBytes: 128 * MIB,
  inflatedBytes: 2048 * MIB,
  treeEntries: 200_000,
  pathDepth: 32,
  deadlineMs: 60_000,
  askDeadlineMs: 20_000,
  silenceMs: 20_000,
  cloneDepth: 50,
  packs: 50,
}
