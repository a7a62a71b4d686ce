import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFakeDriver } from '../../../runtime/drivers/fake/driver.ts'
import { createFileFakeMachine, createMemoryFakeMachine, type FakeMachine } from '../../../runtime/drivers/fake/machine.ts'
import { exitAt } from '../../../runtime/drivers/fake/script.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { TaskSpec } from '../../../src/model/task-spec.ts'
import { FakeScript } from '../../../src/model/template.ts'
import type { Behaviour, DriverHarness } from '../driver-suite.ts'

export function fakeSpec(script: Partial<FakeScript> | null): TaskSpec {
  const fake = script === null ? undefined : FakeScript.parse(script)
  const unit = { name: 'main', command: ['true'], args: [], env: {}, limits: {}, ports: [], mounts: [], artifacts: [], fake }
  const rest = { volumes: [], hostNetwork: false, restartPolicy: 'Never', maxRestarts: null, gracePeriodSeconds: 30, labels: {} }
  return TaskSpec.parse({ driver: 'fake', units: [unit], ...rest })
}

function scriptFor(behaviour: Behaviour): Partial<FakeScript> | null {
  switch (behaviour.kind) {
    case 'run':
      return null
    case 'exit':
      return { runForSeconds: behaviour.afterMs / 1000, exitCode: behaviour.code }
    case 'failStart':
      return { failStart: true }
    default:
      throw new Error(`the fake driver lacks ${behaviour.kind}`)
  }
}

function harness(machine: FakeMachine, destroy: () => Promise<void>): DriverHarness {
  return {
    files: { artifacts: {}, secrets: new Map() },
    create: async () => createFakeDriver({ machine, clock: systemClock }),
    destroy,
    spec: (behaviour) => fakeSpec(scriptFor(behaviour)),
    outside: async (ref) => {
      const record = await machine.read(ref)
      const started = record !== null && record.startedAt !== null
      const alive = started && exitAt(record, systemClock.now()) === null
      return { starts: started ? 1 : 0, alive: alive ? 1 : 0, traces: record === null ? [] : [record.task] }
    },
  }
}

export async function memoryHarness(): Promise<DriverHarness> {
  const machine = createMemoryFakeMachine()
  const { outside, ...rest } = harness(machine, async () => undefined)
  return { ...rest, outside: async (ref) => ({ ...(await outside(ref)), starts: machine.starts(ref) }) }
}

export async function fileHarness(): Promise<DriverHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'drover-fake-'))
  return harness(createFileFakeMachine(directory), () => rm(directory, { recursive: true }))
}
