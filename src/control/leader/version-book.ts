import { requirementsOf } from '../../core/schedule/requirements.ts'
import type { Requirements } from '../../core/schedule/types.ts'
import { must } from '../../lib/must.ts'
import { bodyOf } from '../../model/body.ts'
import type { Digest } from '../../model/ids.ts'
import type { WorkloadVersion } from '../../model/version.ts'

/** Bodies of every version that a workload or a task refers to, and for a moment those that one is about to. */
export class VersionBook {
  readonly #versions = new Map<Digest, WorkloadVersion>()
  readonly #requirements = new Map<Digest, Requirements>()
  readonly #uses = new Map<Digest, number>()
  readonly #unused = new Set<Digest>()

  get(digest: Digest): WorkloadVersion | undefined {
    return this.#versions.get(digest)
  }

  has(digest: Digest): boolean {
    return this.#versions.has(digest)
  }

  set(digest: Digest, version: WorkloadVersion): void {
    this.#versions.set(digest, version)
    if (this.uses(digest) === 0) this.#unused.add(digest)
  }

  get size(): number {
    return this.#versions.size
  }

  requirements(digest: Digest): Requirements {
    const version = must(this.#versions.get(digest), `version ${digest} is loaded`)
    const known = this.#requirements.get(digest) ?? requirementsOf(bodyOf(version).template.spec)
    this.#requirements.set(digest, known)
    return known
  }

  /** How many records refer to it. */
  uses(digest: Digest): number {
    return this.#uses.get(digest) ?? 0
  }

  use(digest: Digest): void {
    this.#uses.set(digest, this.uses(digest) + 1)
    this.#unused.delete(digest)
  }

  release(digest: Digest): void {
    const left = this.uses(digest) - 1
    if (left > 0) this.#uses.set(digest, left)
    else {
      this.#uses.delete(digest)
      this.#unused.add(digest)
    }
  }

  drop(digest: Digest): void {
    this.#versions.delete(digest)
    this.#requirements.delete(digest)
    this.#unused.delete(digest)
  }

  /** Only between turns: in one, what nothing refers to may be what the next write does. */
  dropUnused(): void {
    for (const digest of this.#unused) this.drop(digest)
  }
}
