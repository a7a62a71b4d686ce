import type { Driver } from '../../runtime/driver.ts'
import type { Journal } from '../../runtime/journal.ts'
import type { Uplink } from '../../runtime/uplink.ts'
import type { Renderer } from '../../src/control/source/render.ts'
import type { GitRepository } from '../../src/git/git-backend.ts'
import type { Store } from '../../src/store/store.ts'
import type { Incarnation } from './incarnation.ts'

/** Where a planted bug sits: each wraps one part that the simulator hands to the product. */
export interface Seams {
  readonly store: (store: Store, by: Incarnation) => Store
  readonly journal: (journal: Journal, by: Incarnation) => Journal
  readonly driver: (driver: Driver, by: Incarnation) => Driver
  readonly uplink: (uplink: Uplink, by: Incarnation) => Uplink
  readonly repository: (repository: GitRepository, by: Incarnation) => GitRepository
  readonly renderer: (renderer: Renderer, by: Incarnation) => Renderer
}

const same = <T>(value: T): T => value

/** The product as it is. */
export const NO_BUG: Seams = { store: same, journal: same, driver: same, uplink: same, repository: same, renderer: same }
