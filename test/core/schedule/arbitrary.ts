import fc from 'fast-check'
import type { AgentView, PendingGroup, Requirements, ScheduleRequest } from '../../../src/core/schedule/types.ts'
import type { AgentId, TaskId } from '../../../src/model/ids.ts'
import { workloadKey } from '../../../src/model/ids.ts'
import { Isolation, type IsolationOffer } from '../../../src/model/process.ts'

export const MI = 2 ** 20
export const agentId = (name: string): AgentId => name as AgentId
export const taskId = (name: string): TaskId => name as TaskId

const driver = (available: boolean, detail: string) => ({ available, detail })

const processDriver = (isolation: IsolationOffer | undefined): AgentView['drivers']['process'] =>
  isolation === undefined ? driver(false, 'ProcessesNotAllowed') : { ...driver(true, ''), isolation }

/** An agent with 4 cores, 8 GiB, ports 20000-20099 and every runtime. */
export function agent(id: string, over: Partial<AgentView> = {}): AgentView {
  return {
    id: agentId(id),
    labels: {},
    drivers: { docker: driver(true, '27.0'), process: driver(true, ''), fake: driver(true, '') },
    capacity: { cpuMillis: 4000, memoryBytes: 8192 * MI, ports: { from: 20_000, to: 20_099 } },
    used: { cpuMillis: 0, memoryBytes: 0, ports: new Set(), tasks: 0 },
    pressure: [],
    schedulable: true,
    ...over,
  }
}

/** Asks for 100m and 128 MiB on docker, and nothing else. */
export function requirements(over: Partial<Requirements> = {}): Requirements {
  return {
    cpuMillis: 100,
    memoryBytes: 128 * MI,
    fixedPorts: [],
    dynamicPorts: [],
    nodeSelector: {},
    constraints: [],
    spread: [],
    maxPerNode: null,
    driver: 'docker',
    isolation: null,
    ...over,
  }
}

/** `count` tasks of deployment `name`, to go anywhere. */
export function group(name: string, count: number, over: Partial<PendingGroup> = {}): PendingGroup {
  return {
    id: name,
    workload: workloadKey('default', 'Deployment', name),
    priority: 50,
    createdAt: 0,
    requirements: requirements(),
    tasks: new Set(Array.from({ length: count }, (_, index) => taskId(`${name}-${String(index).padStart(5, '0')}`))),
    bound: new Map(),
    existing: new Map(),
    ...over,
  }
}

const label = <T extends string>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 4 })
const defined = (labels: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))

const labels = fc.record({ zone: label('a', 'b', 'c'), disk: label('ssd', 'hdd'), cores: label('4', '8', '16') }).map(defined)
const portRange = fc.record({ from: fc.constant(100), to: fc.integer({ min: 98, max: 104 }) })

const agentShape = fc.record({
  labels,
  docker: fc.boolean(),
  silent: fc.boolean(),
  /** Of processes: what they can be kept apart to, and the least that is wanted; undefined: they are not allowed. */
  isolations: fc.option(fc.record({ offered: fc.subarray([...Isolation.options]), minimum: fc.constantFrom(...Isolation.options) }), {
    nil: undefined,
  }),
  schedulable: fc.nat(9).map((n) => n > 0),
  full: fc.nat(9).map((n) => n === 0),
  cpu: fc.constantFrom(0, 1000, 2000, 4000),
  memory: fc.constantFrom(0, 1000, 4000),
  usedCpu: fc.constantFrom(0, 0, 500, 5000),
  usedMemory: fc.constantFrom(0, 0, 700),
  ports: portRange,
  usedPorts: fc.uniqueArray(fc.integer({ min: 98, max: 104 }), { maxLength: 3 }),
})

const agents = fc.array(agentShape, { maxLength: 8 }).map((shapes) =>
  shapes.map((shape, index) =>
    agent(`agent-${index}`, {
      labels: shape.labels,
      drivers: {
        docker: driver(shape.docker, shape.silent ? 'RuntimeUnhealthy: no answer' : 'no socket'),
        process: processDriver(shape.isolations),
        fake: driver(true, ''),
      },
      capacity: { cpuMillis: shape.cpu, memoryBytes: shape.memory, ports: shape.ports },
      used: {
        cpuMillis: shape.usedCpu,
        memoryBytes: shape.usedMemory,
        ports: new Set(shape.usedPorts),
        tasks: shape.usedCpu + shape.usedMemory > 0 ? 1 : 0,
      },
      schedulable: shape.schedulable,
      pressure: shape.full ? [{ code: 'DiskPressure', message: '/ is 91 % full', count: 1 }] : [],
    }),
  ),
)

const constraint = fc.constantFrom<Requirements['constraints'][number]>(
  { key: 'disk', operator: 'In', values: ['ssd'] },
  { key: 'disk', operator: 'NotIn', values: ['ssd'] },
  { key: 'zone', operator: 'Exists', values: [] },
  { key: 'zone', operator: 'DoesNotExist', values: [] },
  { key: 'cores', operator: 'Gt', values: ['4'] },
  { key: 'cores', operator: 'Lt', values: ['16'] },
  { key: 'disk', operator: 'Matches', values: ['?d*', 'x*'] },
)
const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 1 })
const tcp = (name: string) => ({ name, protocol: 'TCP' as const })

const asked: fc.Arbitrary<Requirements> = fc.record({
  cpuMillis: fc.constantFrom(0, 100, 300, 900),
  memoryBytes: fc.constantFrom(0, 50, 200, 1100),
  fixedPorts: few(fc.integer({ min: 99, max: 103 }).map((port) => ({ ...tcp('fixed'), port }))),
  dynamicPorts: fc.constantFrom([], [], [tcp('http')], [tcp('http'), tcp('admin')]),
  nodeSelector: fc.constantFrom<Record<string, string>[]>({}, {}, { disk: 'ssd' }),
  constraints: few(constraint),
  spread: fc.constantFrom<Requirements['spread'][]>(
    [],
    [],
    [{ key: 'zone', maxSkew: 1 }],
    [
      { key: 'zone', maxSkew: 2 },
      { key: 'disk', maxSkew: 1 },
    ],
  ),
  maxPerNode: fc.constantFrom(null, null, 1, 2),
  driver: fc.constantFrom<Requirements['driver'][]>('docker', 'fake', 'fake', 'process', 'process'),
  isolation: fc.constantFrom(null, null, ...Isolation.options),
})

/** Every task of a group, wherever it may go. */
export const tasksOf = ({ tasks, bound }: PendingGroup): TaskId[] => [...bound.keys(), ...tasks]

/** Small clusters and groups in which every rule gets to say no; one group a workload, all of one priority and namespace. */
export const request: fc.Arbitrary<ScheduleRequest> = agents.chain((views) => {
  const target = views.length === 0 ? fc.constant(null) : fc.option(fc.constantFrom(...views.map(({ id }) => id)), { nil: null, freq: 1 })
  const existing: fc.Arbitrary<AgentId[]> =
    views.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...views.map(({ id }) => id)), { maxLength: 3 })
  const pending = fc.array(fc.record({ asked, count: fc.integer({ min: 1, max: 12 }), existing, createdAt: fc.nat(3), target }), {
    maxLength: 5,
  })
  return fc.record({ pending, seed: fc.integer() }).map(({ pending: shapes, seed }) => ({
    agents: views,
    seed,
    tags: new Map(),
    pending: shapes.map((shape, index) => {
      const base = group(`w${index}`, shape.count)
      const counts = new Map(shape.existing.map((id) => [id, shape.existing.filter((other) => other === id).length]))
      const [first = taskId('none'), ...others] = base.tasks
      const given = shape.target === null ? {} : { tasks: new Set(others), bound: new Map([[first, shape.target]]) }
      return { ...base, requirements: shape.asked, createdAt: shape.createdAt, existing: counts, ...given }
    }),
  }))
})
