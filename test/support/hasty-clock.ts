import { type Clock, systemClock } from '../../src/lib/clock.ts'

/** Real time, so many times as fast: what waits for minutes is seen in seconds. Its wall clock is the real one. */
export const hastyClock = (times: number): Clock => ({
  now: systemClock.now,
  monotonic: () => systemClock.monotonic() * times,
  sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
})
