import { type Health, type HealthNews, jointHealth, type KnownHealth, newsOf } from '../src/core/task-probe.ts'
import { orAbandon } from '../src/lib/abandon.ts'
import type { Patient, Watch } from './health-watch.ts'
import { watchOwnHealth } from './own-health.ts'
import { watchProbes } from './unit-probes.ts'

/** Asks how one attempt is from the first `next` on until `end`; counts go on between two calls of `next`. */
export interface Prober {
  health(): Health
  first(signal: AbortSignal): Promise<void>
  /** Resolves as soon as there is something that is not `known`. @throws the signal's reason. */
  next(known: KnownHealth, signal: AbortSignal): Promise<HealthNews>
  end(): void
}

export function createProber(patient: Patient): Prober {
  return new WatchingProber(watchesFor(patient))
}

/** A unit's own health check counts only where the manifest gives no probe. */
function watchesFor(patient: Patient): readonly Watch[] {
  const probed = patient.spec.units.filter(({ probes }) => Object.values(probes).some((probe) => probe !== undefined))
  return probed.length === 0 ? [watchOwnHealth(patient)] : probed.map((unit) => watchProbes(patient, unit.probes))
}

class WatchingProber implements Prober {
  readonly #watches: readonly Watch[]
  readonly #over = new AbortController()
  #running: 'no' | 'yes' = 'no'
  #change = createTurn()
  /** What a watch died of; a broken assumption, to be told and not hidden. */
  #broken: { readonly error: unknown } | null = null

  constructor(watches: readonly Watch[]) {
    this.#watches = watches
  }

  health(): Health {
    return jointHealth(this.#watches.map((watch) => watch.health()))
  }

  async first(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.first(signal)))
  }

  async next(known: KnownHealth, signal: AbortSignal): Promise<HealthNews> {
    this.#begin()
    for (;;) {
      if (this.#broken !== null) throw this.#broken.error
      const news = newsOf(known, this.health())
      if (news !== null) return news
      await orAbandon(this.#change.passed, signal)
    }
  }

  end(): void {
    this.#over.abort()
  }

  #begin(): void {
    if (this.#running === 'yes') return
    this.#running = 'yes'
    for (const watch of this.#watches) {
      watch
        .run(this.#over.signal, () => this.#changed())
        .catch((error: unknown) => {
          this.#broken = { error }
          this.#changed()
        })
    }
  }

  #changed(): void {
    const { pass } = this.#change
    this.#change = createTurn()
    pass()
  }
}

interface Turn {
  readonly passed: Promise<void>
  readonly pass: () => void
}

function createTurn(): Turn {
  let pass: () => void = () => undefined
  const passed = new Promise<void>((resolve) => {
    pass = resolve
  })
  return { passed, pass }
}
