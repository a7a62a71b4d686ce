import type { Clock } from '../lib/clock.ts'
import { DEFAULT_CAPS, type GitCaps } from './caps.ts'
import type { GitRepository } from './git-backend.ts'
import { openLocal } from './local-repository.ts'
import { remoteAccess } from './remote-access.ts'
import { openRemote } from './remote-repository.ts'
import { type HttpCredentials, parseRepo, type RepoAddress } from './repo-address.ts'

export interface OpenOptions {
  /** A path (read in place), or a `file://`, `ssh://`, `user@host:path`, `http://` or `https://` address. */
  readonly repo: string
  /** Where the clone of a remote is kept: a folder for this repository alone. A path needs none and leaves it untouched. */
  readonly dir: string
  readonly clock: Clock
  /** Returns [0, 1); names temporary files. */
  readonly random: () => number
  readonly caps?: Partial<GitCaps>
  /** For http(s); they outrank those in the address, and never leave its host. */
  readonly credentials?: HttpCredentials
}

function withCredentials(address: RepoAddress, credentials: HttpCredentials | undefined): RepoAddress {
  return address.kind === 'http' && credentials !== undefined ? { ...address, credentials } : address
}

/**
 * Opens a repository. A remote is not contacted before the first `resolve`.
 * @throws GitError `Unsupported` for an address that is not allowed, `Unreachable` when a path is no repository.
 */
export function openRepository(options: OpenOptions): Promise<GitRepository> {
  const caps = { ...DEFAULT_CAPS, ...options.caps }
  const { clock, random } = options
  const address = withCredentials(parseRepo(options.repo), options.credentials)
  if (address.kind === 'local') return openLocal({ path: address.path, caps, clock, random })
  return openRemote({ access: remoteAccess(address, caps), directory: options.dir, clock, random })
}
