import type { Health } from '../src/core/task-probe.ts'
import { orAbandon } from '../src/lib/abandon.ts'
import { messageOf } from '../src/lib/errors.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'
import { reasonOf } from '../src/model/reason.ts'
import type { OwnHealth } from './driver.ts'
import type { Patient, Watch } from './health-watch.ts'

/** How often an attempt that is not ready yet is asked, at first and at most. */
const POLL_MIN: Millis = 100
const POLL_MAX: Millis = 1_000
/** How often one that is well is asked; its own check has a rhythm of its own, of 30 s by default. */
const POLL_WELL: Millis = 5_000
/** What just ended looks unhealthy for the moment until its end is known, so it has to say so twice. */
const TIMES_UNHEALTHY = 2

const UNHEALTHY = reasonOf('HealthCheckFailed', 'its own health check says that it is unhealthy')

type Said = OwnHealth | 'unknown'

/** Asks an attempt's own health check, such as Docker's; one that has none is ready as soon as it runs. */
export function watchOwnHealth(patient: Patient): Watch {
  return new OwnHealthWatch(patient)
}

class OwnHealthWatch implements Watch {
  readonly #patient: Patient
  #said: Said | null = null
  #ready: boolean
  #timesUnhealthy = 0
  #pause = POLL_MIN

  constructor(patient: Patient) {
    this.#patient = patient
    this.#ready = patient.known.ready
  }

  health(): Health {
    const unhealthy = this.#timesUnhealthy < TIMES_UNHEALTHY ? null : UNHEALTHY
    return { startup: 'none', ready: this.#ready, unready: null, unhealthy }
  }

  async first(signal: AbortSignal): Promise<void> {
    this.#note(await this.#ask(signal))
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    while (!signal.aborted && this.#said !== 'none' && this.#timesUnhealthy < TIMES_UNHEALTHY) {
      if (this.#said !== null) await pause(this.#patient.clock, this.#nextPause(this.#said), signal)
      this.#note(await this.#ask(signal))
      changed()
    }
  }

  /** `starting` after it was ready is a runtime that restarted and has to find out anew, so it stays ready. */
  #note(said: Said): void {
    this.#said = said
    if (said === 'none' || said === 'healthy') this.#ready = true
    if (said !== 'unknown') this.#timesUnhealthy = said === 'unhealthy' ? this.#timesUnhealthy + 1 : 0
  }

  #nextPause(said: Said): Millis {
    if (said === 'healthy') this.#pause = POLL_MIN
    if (said === 'healthy') return POLL_WELL
    if (said === 'unhealthy') return POLL_MAX
    const now = this.#pause
    this.#pause = Math.min(POLL_MAX, now * 2)
    return now
  }

  /** A driver that cannot tell now is asked again later. */
  async #ask(signal: AbortSignal): Promise<Said> {
    const { driver, handle, log } = this.#patient
    if (signal.aborted) return 'unknown'
    try {
      return await orAbandon(driver.health(handle), signal)
    } catch (error) {
      if (!signal.aborted) log.debug({ task: handle.task, attempt: handle.attempt, error: messageOf(error) }, 'health not known')
      return 'unknown'
    }
  }
}
