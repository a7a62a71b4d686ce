import type { IResponseHeader } from 'etcd3'
import { TerminalError } from '../../lib/errors.ts'
import { compareRevisions } from '../store.ts'

/**
 * Sees whether the etcd behind the addresses is still the one it was: another cluster id, or an answer that is older
 * than one that came before it was asked, show that it was replaced or restored under a running process.
 */
export class Witness {
  #clusterId: string | null = null
  #revision = '0'

  /** What the answer to a request that is sent now must not be older than. */
  get revision(): string {
    return this.#revision
  }

  /**
   * Only for answers through the quorum; others may be of a member that lags behind.
   * @param floor `revision` as it was when the request was sent
   * @throws TerminalError `StoreReplaced`.
   */
  check({ cluster_id, revision }: IResponseHeader, floor: string): void {
    const known = this.#clusterId ?? cluster_id
    if (known !== cluster_id) throw replaced(`etcd cluster ${cluster_id} answers where ${known} did`)
    if (compareRevisions(revision, floor) < 0) throw replaced(`etcd is at revision ${revision}, and was at ${floor}`)
    this.#clusterId = known
    if (compareRevisions(revision, this.#revision) > 0) this.#revision = revision
  }
}

const replaced = (what: string): TerminalError =>
  new TerminalError(
    'StoreReplaced',
    `${what}: its data was lost, or an older copy was restored under this process. Nothing is started or stopped; ` +
      'bring the data back, or start the servers anew if the older copy is to stay',
  )
