import { type Answer, dueAt, firstProbes, type Health, healthOf, onAnswer, type ProbeKind, type Probes } from '../src/core/task-probe.ts'
import { messageOf } from '../src/lib/errors.ts'
import { firstOf, pause } from '../src/lib/waits.ts'
import type { ProbeSpec, ProbeSpecs } from '../src/model/probe.ts'
import type { Patient, Watch } from './health-watch.ts'

/** Asks the probes of one unit; each has its own rhythm, so a slow one does not hold up the others. */
export function watchProbes(patient: Patient, specs: ProbeSpecs): Watch {
  return new UnitProbes(patient, specs)
}

class UnitProbes implements Watch {
  readonly #patient: Patient
  readonly #specs: ProbeSpecs
  #probes: Probes

  constructor(patient: Patient, specs: ProbeSpecs) {
    const { clock, known, startedAt } = patient
    this.#patient = patient
    this.#specs = specs
    this.#probes = firstProbes(specs, known, clock.monotonic() - Math.max(0, clock.now() - startedAt))
  }

  health(): Health {
    return healthOf(this.#probes)
  }

  async first(): Promise<void> {
    // Only time tells: the first answer is due no sooner than the loop asks.
  }

  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    await this.#keepAsking('startup', signal, changed)
    await Promise.all([this.#keepAsking('readiness', signal, changed), this.#keepAsking('liveness', signal, changed)])
  }

  async #keepAsking(kind: ProbeKind, signal: AbortSignal, changed: () => void): Promise<void> {
    const { clock } = this.#patient
    const spec = this.#specs[kind]
    if (spec === undefined) return
    for (let due = dueAt(this.#probes, kind); due !== null; due = dueAt(this.#probes, kind)) {
      await pause(clock, due - clock.monotonic(), signal)
      if (signal.aborted) return
      const answer = await askOnce(this.#patient, spec, signal)
      if (signal.aborted) return
      this.#probes = onAnswer(this.#probes, { kind, spec, answer, now: clock.monotonic() })
      changed()
    }
  }
}

/** What did not come in time counts as failed; a driver that cannot ask now says nothing of the task. */
async function askOnce({ driver, handle, spec, secrets, clock, log }: Patient, probe: ProbeSpec, signal: AbortSignal): Promise<Answer> {
  const answers: Answer[] = []
  const ask = async (over: AbortSignal): Promise<void> => {
    const result = await driver.probe(handle, { check: probe.check, spec, secrets }, over)
    answers.push(result.passed ? { type: 'passed' } : { type: 'failed', message: result.message })
  }
  const lose = async (over: AbortSignal): Promise<void> => {
    await clock.sleep(probe.timeoutSeconds * 1000, over)
    answers.push({ type: 'failed', message: `timed out after ${probe.timeoutSeconds} s` })
  }
  try {
    await firstOf(signal, [ask, lose])
  } catch (error) {
    if (!signal.aborted) log.debug({ task: handle.task, attempt: handle.attempt, error: messageOf(error) }, 'probe not asked')
  }
  return answers[0] ?? { type: 'unknown' }
}
