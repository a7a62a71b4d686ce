import type { Clock } from '../src/lib/clock.ts'
import { messageOf } from '../src/lib/errors.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'
import { RUNTIME_UNHEALTHY } from '../src/model/reason.ts'
import type { AgentRecord } from '../src/model/records.ts'
import { DriverName } from '../src/model/task-spec.ts'
import type { Disks } from './disks.ts'
import type { Capabilities } from './driver.ts'

/** A runtime that was installed or died, or a disk that filled up, is told soon after so long. */
export const MACHINE_CHECKED_EVERY: Millis = 5_000

/** What of a machine changes while its agent runs, as a greeting tells it. */
export type MachineState = Pick<AgentRecord, 'drivers' | 'pressure'>
type Fingerprints = Readonly<Record<DriverName, Capabilities>>

/** Never rejects. */
export type LookAtMachine = (signal: AbortSignal) => Promise<MachineState>

interface MachineParts extends Fingerprinting {
  readonly disks: Disks
}

/** Looks at the machine, unless that was done a moment ago: what ended a connection is told by the next one at once. */
export function createLook(parts: MachineParts): LookAtMachine {
  let last: { readonly at: Millis; readonly state: MachineState } | null = null
  return async (signal) => {
    if (last !== null && parts.clock.monotonic() - last.at < MACHINE_CHECKED_EVERY) return last.state
    const found = await fingerprintDrivers(parts, signal)
    const dataRoots = Object.values(found).flatMap(({ dataRoot }) => dataRoot ?? [])
    const state = { drivers: withoutRoots(found), pressure: [...(await parts.disks.pressure(dataRoots))] }
    // One that was cut short says nothing about the machine.
    if (!signal.aborted) last = { at: parts.clock.monotonic(), state }
    return state
  }
}

function withoutRoots(found: Fingerprints): MachineState['drivers'] {
  const told = ({ dataRoot: _, ...state }: Capabilities): Omit<Capabilities, 'dataRoot'> => state
  return { docker: told(found.docker), process: told(found.process), fake: told(found.fake) }
}

/** Names of what is another now; that a figure in a message moved is no change. */
export function changesOf(before: MachineState, now: MachineState): readonly string[] {
  const drivers = DriverName.options.filter((name) => now.drivers[name]?.available !== before.drivers[name]?.available)
  const codes = (state: MachineState): string[] => state.pressure.map(({ code }) => code)
  const pressure = codes(now).join() === codes(before).join() ? [] : ['pressure']
  return [...drivers, ...pressure]
}

/** A driver that does not answer must not keep the agent from connecting; one that watches its runtime says so itself before. */
const FINGERPRINT_WITHIN: Millis = 6_000

const SILENT = `${RUNTIME_UNHEALTHY}: no answer within ${FINGERPRINT_WITHIN / 1000} s`

interface Fingerprinting {
  readonly drivers: Readonly<Record<DriverName, { fingerprint(signal: AbortSignal): Promise<Capabilities> }>>
  readonly clock: Clock
}

/** What each driver can do now; one that fails or is silent for 6 s is not available, and says why. Never rejects. */
async function fingerprintDrivers({ drivers, clock }: Fingerprinting, signal: AbortSignal): Promise<Fingerprints> {
  // Not joined by `AbortSignal.any`: this goes on as long as the signal lives; see `firstOf`.
  const over = new AbortController()
  const end = (): void => over.abort(signal.reason)
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  const late = pause(clock, FINGERPRINT_WITHIN, over.signal).then((): Capabilities => ({ available: false, detail: SILENT }))
  const answers = DriverName.options.map(async (name) => {
    const answer = drivers[name].fingerprint(over.signal)
    const failed = (error: unknown): Capabilities => ({ available: false, detail: messageOf(error) })
    return [name, await Promise.race([answer.catch(failed), late])] as const
  })
  const states = await Promise.all(answers)
  signal.removeEventListener('abort', end)
  over.abort()
  return Object.fromEntries(states) as Fingerprints
}
