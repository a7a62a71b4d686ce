import { afterEach, beforeEach, describe } from 'vitest'
import { Bench, type DriverHarness, type Lackable } from './driver-suite/bench.ts'
import { logTests } from './driver-suite/logs.ts'
import { probeTests } from './driver-suite/probe.ts'
import { recoverTests } from './driver-suite/recover.ts'
import { removeTests } from './driver-suite/remove.ts'
import { startTests } from './driver-suite/start.ts'
import { stopTests } from './driver-suite/stop.ts'
import { waitTests } from './driver-suite/wait.ts'

export type { Behaviour, DriverHarness, Outside } from './driver-suite/bench.ts'

export interface DriverSuiteOptions {
  /** What this driver cannot do, each with the reason; its tests are not registered. */
  readonly lacks?: Readonly<Partial<Record<Lackable, string>>>
  /** Longest a start, an exit or a stop may take on this driver; milliseconds. */
  readonly patienceMs?: number
}

/** What every driver promises; run it over each implementation, on what it drives in production. */
export function driverSuite(name: string, makeHarness: () => Promise<DriverHarness>, options: DriverSuiteOptions = {}): void {
  const has = (what: Lackable): boolean => options.lacks?.[what] === undefined
  const patient = { timeoutMs: options.patienceMs ?? 10_000 }
  let bench: Bench

  describe(`driver ${name}`, () => {
    beforeEach(async () => {
      bench = new Bench(await makeHarness())
    })
    afterEach(async () => {
      await bench.destroy()
    })
    describe('start', () => startTests(() => bench, has))
    describe('wait', () => waitTests(() => bench, has))
    describe('recover', () => recoverTests(() => bench, has, patient))
    describe('stop', () => stopTests(() => bench, has, patient))
    describe('remove and owned', () => removeTests(() => bench, patient))
    if (has('serve')) describe('probe', () => probeTests(() => bench))
    if (has('print')) describe('logs', () => logTests(() => bench, has))
  })
}
