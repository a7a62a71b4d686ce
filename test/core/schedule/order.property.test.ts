import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { schedule } from '../../../src/core/schedule/schedule.ts'
import type { AgentView, PendingGroup, Tags } from '../../../src/core/schedule/types.ts'
import type { TaskId, WorkloadKey } from '../../../src/model/ids.ts'
import { workloadKey } from '../../../src/model/ids.ts'
import { agent, group, requirements } from './arbitrary.ts'

const RUNS = { numRuns: 1500 }
const CPU = 100

/** Takes `room` tasks that ask for `CPU` each. */
const machine = (room: number): AgentView =>
  agent('only', { capacity: { cpuMillis: room * CPU, memoryBytes: 2 ** 40, ports: { from: 1, to: 0 } } })

/** A Job whose tasks ask for the same as those of all others. */
function line(namespace: string, name: string, count: number, over: Partial<PendingGroup> = {}): PendingGroup {
  const id = `${namespace}-${name}`
  const asked = requirements({ cpuMillis: CPU, memoryBytes: 0 })
  return { ...group(id, count), workload: workloadKey(namespace, 'Job', name), requirements: asked, ...over }
}

/** Batches one after the other, each with as much room as is said; what is left waits for the next. */
class Queue {
  readonly placed = new Map<WorkloadKey, number>()
  #pending: PendingGroup[] = []
  #tags: Tags = new Map()

  add(...groups: PendingGroup[]): void {
    this.#pending.push(...groups)
  }

  batch(room: number): void {
    const { placed, tags } = schedule({ pending: this.#pending, agents: [machine(room)], seed: 1, tags: this.#tags })
    const gone = new Set<TaskId>(placed.map(({ task }) => task))
    for (const { workload, tasks } of this.#pending) {
      const count = [...tasks].filter((id) => gone.has(id)).length
      this.placed.set(workload, this.of(workload) + count)
    }
    this.#tags = tags
    this.#pending = this.#pending
      .map((one) => ({ ...one, tasks: new Set([...one.tasks].filter((id) => !gone.has(id))) }))
      .filter(({ tasks }) => tasks.size > 0)
  }

  of(workload: WorkloadKey): number {
    return this.placed.get(workload) ?? 0
  }

  left(): PendingGroup[] {
    return this.#pending
  }
}

const names = ['a', 'b', 'c', 'd']
const shape = fc.record({ count: fc.integer({ min: 1, max: 12 }), createdAt: fc.nat(3), priority: fc.integer({ min: 48, max: 51 }) })
const shapes = fc.array(shape, { minLength: 1, maxLength: 4 })
const rooms = fc.array(fc.nat(7), { minLength: 1, maxLength: 8 })
const MANY = 150

describe('priority', () => {
  it('places no task while an equal one of higher priority waits, whatever came first and however room comes free', () => {
    fc.assert(
      fc.property(shapes, rooms, (given, free) => {
        const queue = new Queue()
        const lines = given.map(({ count, ...over }, index) => line('default', names[index] ?? '', count, over))
        queue.add(...lines)
        for (const room of free) {
          const before = new Map(queue.placed)
          queue.batch(room)
          const highest = Math.max(0, ...queue.left().map(({ priority }) => priority))
          const below = lines.filter(({ priority }) => priority < highest)
          for (const { workload } of below) expect(queue.of(workload)).toBe(before.get(workload) ?? 0)
        }
      }),
      RUNS,
    )
  })

  it('keeps nothing free for a task that does not fit', () => {
    const large = line('default', 'large', 1, { priority: 100, requirements: requirements({ cpuMillis: 8 * CPU }) })
    const queue = new Queue()
    queue.add(large, line('default', 'small', 3))
    queue.batch(2)
    expect(queue.of(workloadKey('default', 'Job', 'small'))).toBe(2)
    expect(queue.of(large.workload)).toBe(0)
  })
})

describe('equals', () => {
  it('are at most one turn apart in one batch: nobody gets more than another who still waits, plus one', () => {
    fc.assert(
      fc.property(shapes, fc.nat(40), (given, room) => {
        const lines = given.map(({ count, createdAt }, index) => line('default', names[index] ?? '', count, { createdAt }))
        const queue = new Queue()
        queue.add(...lines)
        queue.batch(room)
        for (const waiting of queue.left())
          for (const { workload } of lines) expect(queue.of(workload) - queue.of(waiting.workload)).toBeLessThan(2)
      }),
      RUNS,
    )
  })

  it('stay so over any number of batches, workloads inside a namespace and namespaces among each other', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }), rooms, (sizes, free) => {
        const namespaces = sizes.map((size, index) => names.slice(0, size).map((name) => line(names[index] ?? '', name, MANY)))
        const queue = new Queue()
        queue.add(...namespaces.flat())
        const spread = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts)
        for (const room of free) {
          queue.batch(room)
          const counts = namespaces.map((lines) => lines.map(({ workload }) => queue.of(workload)))
          for (const inside of counts) expect(spread(inside)).toBeLessThan(2)
          expect(spread(counts.map((inside) => inside.reduce((sum, count) => sum + count, 0)))).toBeLessThan(2)
        }
      }),
      RUNS,
    )
  })

  it('take longer turns where there is much room: nobody is ahead by more than an eighth of what it got', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }), fc.nat(2 * MANY), (size, room) => {
        const lines = names.slice(0, size).map((name) => line('default', name, MANY))
        const queue = new Queue()
        queue.add(...lines)
        queue.batch(room)
        const counts = lines.map(({ workload }) => queue.of(workload))
        const most = Math.max(...counts)
        if (queue.left().length === size) expect(most - Math.min(...counts)).toBeLessThanOrEqual(Math.max(1, most / 8))
      }),
      { numRuns: 200 },
    )
  })

  it('take turns with one that comes late from then on, neither before nor behind it', () => {
    fc.assert(
      fc.property(rooms, rooms, (early, late) => {
        const [first, second] = [line('default', 'first', MANY), line('default', 'second', MANY, { createdAt: 1 })]
        const queue = new Queue()
        queue.add(first)
        for (const room of early) queue.batch(room)
        const before = queue.of(first.workload)
        queue.add(second)
        for (const room of late) queue.batch(room)
        expect(Math.abs(queue.of(first.workload) - before - queue.of(second.workload))).toBeLessThan(2)
      }),
      RUNS,
    )
  })

  it('wait for no more than their own turn when others come and go one task at a time', () => {
    const queue = new Queue()
    const big = line('default', 'big', MANY)
    queue.add(big)
    for (let tick = 0; tick < 20; tick++) {
      queue.add(line('default', 'quick', 1, { createdAt: 0, tasks: new Set([`quick-${tick}` as TaskId]) }))
      queue.batch(1)
      queue.batch(1)
    }
    expect(queue.of(big.workload)).toBe(20)
  })

  it('save up no turns while nothing fits them', () => {
    const [large, small] = [
      line('default', 'large', MANY, { requirements: requirements({ cpuMillis: 2 * CPU, memoryBytes: 0 }) }),
      line('default', 'small', MANY),
    ]
    const queue = new Queue()
    queue.add(large, small)
    for (let tick = 0; tick < 50; tick++) queue.batch(1)
    expect([queue.of(large.workload), queue.of(small.workload)]).toEqual([0, 50])
    queue.batch(30)
    expect(queue.of(large.workload)).toBeLessThanOrEqual(queue.of(small.workload) - 50 + 1)
  })

  it('share nothing with other priorities: turns taken above count for nothing below', () => {
    const queue = new Queue()
    const below = ['a', 'b'].map((name) => line('default', name, MANY))
    queue.add(...below, line('default', 'a-urgent', 10, { workload: workloadKey('default', 'Job', 'a'), id: 'urgent', priority: 90 }))
    queue.batch(14)
    expect(below.map(({ workload }) => queue.of(workload))).toEqual([12, 2])
  })
})

describe('where there is room for all', () => {
  it('nobody takes turns: group after group, oldest first', () => {
    const lines = names.map((name, index) => line('default', name, 3, { createdAt: 9 - index }))
    const { placed } = schedule({ pending: lines, agents: [machine(12)], seed: 1, tags: new Map() })
    expect(placed.map(({ task }) => task.split('-')[1])).toEqual([...'dddcccbbbaaa'])
  })
})

describe('what waits', () => {
  /** Tells how many of its members were read. */
  function counted(tasks: ReadonlySet<TaskId>, read: { count: number }): ReadonlySet<TaskId> {
    const counting = function* (): SetIterator<TaskId> {
      for (const id of tasks) {
        read.count += 1
        yield id
      }
    }
    return Object.assign(new Set<TaskId>(), { values: counting, [Symbol.iterator]: counting, keys: counting }) as ReadonlySet<TaskId>
  }

  it('costs nothing: of 100,000 tasks in a full cluster one is read where one has room, and none where none has', () => {
    const read = { count: 0 }
    const lines = Array.from({ length: 20 }, (_, index) => {
      const { tasks, ...rest } = line('default', `job-${index}`, 5000)
      return { ...rest, tasks: Object.defineProperty(counted(tasks, read), 'size', { value: tasks.size }) }
    })
    const run = (room: number) => schedule({ pending: lines, agents: [machine(room)], seed: 1, tags: new Map() })
    expect(run(0).unplaced.map(({ count }) => count)).toEqual(Array.from({ length: 20 }, () => 5000))
    expect(read.count).toBe(0)
    expect(run(1).placed).toHaveLength(1)
    // One for the attempt to place all, one for the turn that found room.
    expect(read.count).toBe(2)
  })
})
