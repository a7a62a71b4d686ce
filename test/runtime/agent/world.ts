import { type AgentDeps, runAgent } from '../../../runtime/agent.ts'
import { createMemoryDownloadCache } from '../../../runtime/artifacts/downloads.ts'
import type { Driver } from '../../../runtime/driver.ts'
import { createFakeDriver } from '../../../runtime/drivers/fake/driver.ts'
import { createMemoryFakeMachine } from '../../../runtime/drivers/fake/machine.ts'
import { createMemoryJournal } from '../../../runtime/journal.ts'
import { createMemoryTreeCache } from '../../../runtime/trees.ts'
import { silentLog } from '../../../src/lib/log.ts'
import type { AgentId } from '../../../src/model/ids.ts'
import { TaskSpec } from '../../../src/model/task-spec.ts'
import { FakeScript } from '../../../src/model/template.ts'
import { createFakeClock } from '../../support/fake-clock.ts'
import { ROOMY } from '../../support/roomy.ts'
import { TEST_KEYRING } from '../../support/vault.ts'
import { TestHub } from './hub.ts'
import { type Fate, Life } from './mortal.ts'

export function fakeSpec(script: Partial<FakeScript> = {}, rest: Partial<TaskSpec> = {}): TaskSpec {
  return TaskSpec.parse({
    driver: 'fake',
    units: [
      { name: 'main', command: [], args: [], env: {}, limits: {}, ports: [], mounts: [], artifacts: [], fake: FakeScript.parse(script) },
    ],
    volumes: [],
    hostNetwork: false,
    restartPolicy: 'Always',
    maxRestarts: null,
    gracePeriodSeconds: 5,
    labels: {},
    ...rest,
  })
}

interface AgentChanges extends Partial<Pick<AgentDeps, 'journal' | 'openSecret'>> {
  readonly fate?: Fate
  readonly driver?: (real: Driver) => Driver
}

/** One machine, one control plane, and agents that come and go between them, all under one virtual clock. */
export function createWorld() {
  const clock = createFakeClock()
  const machine = createMemoryFakeMachine()
  const journal = createMemoryJournal()
  const hub = new TestHub()

  const startAgent = (options: AgentChanges = {}) => {
    let died: () => void = () => undefined
    const death = new Promise<void>((resolve) => {
      died = resolve
    })
    const life = new Life(options.fate ?? null, () => {
      hub.disconnect()
      died()
    })
    const real = createFakeDriver({ machine, clock: life.bind(clock, 'free') })
    const driver = life.bind(options.driver?.(real) ?? real, 'counted')
    const stop = new AbortController()
    const deps: AgentDeps = {
      identity: { id: 'machine-1' as AgentId, instance: 'i-1', bootId: 'b-1', version: '0.0.0' },
      capacity: { cpuMillis: 2000, memoryBytes: 1e9, ports: { from: 20_000, to: 31_999 } },
      labels: { os: 'linux' },
      uplink: life.bind(hub.uplink, 'free'),
      drivers: { fake: driver, process: absent, docker: absent },
      journal: life.bind(options.journal ?? journal, 'counted'),
      trees: createMemoryTreeCache(),
      downloads: createMemoryDownloadCache(),
      disks: ROOMY,
      openSecret: options.openSecret ?? (async (value) => TEST_KEYRING.open(value)),
      clock: life.bind(clock, 'free'),
      random: () => 0.5,
      log: silentLog,
      startLimit: 4,
    }
    const ended = runAgent(deps, stop.signal)
    return {
      life,
      ended,
      /** As SIGTERM does; it may still be killed on the way. */
      end: async () => {
        stop.abort()
        await Promise.race([ended, death])
      },
    }
  }
  return { clock, machine, journal, hub, startAgent }
}

const absent: Driver = {
  ...createFakeDriver({ machine: createMemoryFakeMachine(), clock: createFakeClock() }),
  fingerprint: async () => ({ available: false, detail: 'not installed' }),
}
