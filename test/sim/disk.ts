import type { AttemptRef } from '../../runtime/driver.ts'
import type { FakeMachine, FakeRecord, MemoryFakeMachine } from '../../runtime/drivers/fake/machine.ts'
import type { Journal } from '../../runtime/journal.ts'
import type { TreeStore } from '../../src/control/source/tree-store.ts'
import { RetryableError } from '../../src/lib/errors.ts'
import type { Millis, Oid } from '../../src/model/ids.ts'
import type { Incarnation } from './incarnation.ts'

/** What may go wrong on one machine. */
export interface MachineFaults {
  diskFull: boolean
  /** Chance that a call of the container runtime fails, before or after it did its work. */
  flaky: number
  maxDelayMs: Millis
  /** The agent dies just after a task started. */
  crashAtStart: boolean
}

export const noMachineFaults = (): MachineFaults => ({ diskFull: false, flaky: 0, maxDelayMs: 5, crashAtStart: false })

/** The agent's disk as one life of the agent uses it: durable when it answers, after a crash perhaps one write more. */
export function diskJournal(journal: Journal, by: Incarnation, faults: MachineFaults): Journal {
  const latency = () => by.rng.int(0, 3)
  const write = (label: string, effect: () => Promise<void>) =>
    by.io(
      `journal ${label}`,
      () => {
        if (faults.diskFull) throw new RetryableError('no space left on device')
        return effect()
      },
      latency,
    )
  return {
    load: () => by.io('journal load', () => journal.load(), latency),
    save: (entry) => {
      const copy = structuredClone(entry)
      return write('save', () => journal.save(copy))
    },
    forget: (task) => write('forget', () => journal.forget(task)),
    saveAgent: (notes) => write('notes', () => journal.saveAgent(notes)),
  }
}

export interface MachineObserver {
  started(record: FakeRecord): void
  stopped(record: FakeRecord): void
  removed(ref: AttemptRef): void
}

/** The machine as the driver of one life of the agent reaches it: slow, and now and then failing. */
export function reachedMachine(
  machine: MemoryFakeMachine,
  by: Incarnation,
  options: { faults: MachineFaults; observer: MachineObserver },
): FakeMachine {
  const { faults, observer } = options
  const call = <T>(label: string, effect: () => Promise<T>): Promise<T> =>
    by.io(
      `machine ${label}`,
      async () => {
        if (by.rng.chance(faults.flaky / 2)) throw new RetryableError('the runtime hung up before it did anything')
        const result = await effect()
        if (by.rng.chance(faults.flaky / 2)) throw new RetryableError('the runtime hung up after it did it')
        return result
      },
      () => by.rng.int(0, faults.maxDelayMs),
    )
  return {
    read: (ref) => call('read', () => machine.read(ref)),
    create: (record) =>
      call('create', async () => {
        const made = await machine.create(record)
        if (made && record.startedAt !== null) observer.started(record)
        return made
      }),
    replace: (record) =>
      call('replace', async () => {
        await machine.replace(record)
        observer.stopped(record)
      }),
    remove: (ref) =>
      call('remove', async () => {
        await machine.remove(ref)
        observer.removed(ref)
      }),
    list: () => call('list', () => machine.list()),
  }
}

/** Packed trees on a control plane's disk; they outlive its process. */
export function memoryTreeStore(): TreeStore {
  const kept = new Map<Oid, Uint8Array[]>()
  return {
    has: async (tree) => (kept.has(tree) ? 'Yes' : 'No'),
    async put(tree, packed) {
      const chunks: Uint8Array[] = []
      for await (const chunk of packed) chunks.push(chunk)
      kept.set(tree, chunks)
    },
    async open(tree) {
      const chunks = kept.get(tree)
      return chunks === undefined ? null : chunksOf(chunks)
    },
  }
}

export async function* chunksOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
