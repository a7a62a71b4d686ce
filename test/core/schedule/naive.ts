import type { AgentView, PendingGroup, Placement, Requirements } from '../../../src/core/schedule/types.ts'

/** A second, slow and literal reading of the rules, which shares no code with the scheduler. */
interface World {
  readonly cpu: Map<string, number>
  readonly memory: Map<string, number>
  readonly ports: Map<string, Set<number>>
  readonly perWorkload: Map<string, Map<string, number>>
}

export function worldOf(agents: readonly AgentView[], groups: readonly PendingGroup[]): World {
  const perWorkload = new Map<string, Map<string, number>>()
  for (const group of groups) perWorkload.set(group.workload, new Map(group.existing))
  return {
    cpu: new Map(agents.map((a) => [a.id, a.used.cpuMillis])),
    memory: new Map(agents.map((a) => [a.id, a.used.memoryBytes])),
    ports: new Map(agents.map((a) => [a.id, new Set(a.used.ports)])),
    perWorkload,
  }
}

export function labelsAllow(asked: Requirements, agent: AgentView): boolean {
  if (!agent.schedulable || !agent.drivers[asked.driver].available || agent.pressure.length > 0) return false
  for (const key in asked.nodeSelector) if (agent.labels[key] !== asked.nodeSelector[key]) return false
  for (const { key, operator, values } of asked.constraints) {
    const label = agent.labels[key]
    if (operator === 'Exists' && label === undefined) return false
    if (operator === 'DoesNotExist' && label !== undefined) return false
    if (operator === 'In' && !(label !== undefined && values.includes(label))) return false
    if (operator === 'NotIn' && label !== undefined && values.includes(label)) return false
    if (operator === 'Gt' && !(Number(label) > Number(values[0]))) return false
    if (operator === 'Lt' && !(Number(label) < Number(values[0]))) return false
    if (operator === 'Matches' && !values.some((glob) => label !== undefined && asRegex(glob).test(label))) return false
  }
  return isolationAllows(asked, agent) && asked.spread.every(({ key }) => agent.labels[key] !== undefined)
}

function isolationAllows({ driver, isolation }: Requirements, agent: AgentView): boolean {
  const { offered, minimum } = agent.drivers[driver].isolation ?? { offered: ['cgroup', 'sandbox'], minimum: 'none' }
  if (isolation === null) return true
  if (isolation === 'none') return minimum === 'none'
  if (isolation === 'cgroup') return minimum !== 'sandbox' && offered.includes('cgroup')
  return offered.includes('sandbox')
}

export const asRegex = (glob: string): RegExp =>
  new RegExp(`^${[...glob].map((c) => (c === '*' ? '[^]*' : c === '?' ? '[^]' : c.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))).join('')}$`)

export function capacityAllows(asked: Requirements, agent: AgentView, world: World): boolean {
  const cpu = (world.cpu.get(agent.id) ?? 0) + asked.cpuMillis
  const memory = (world.memory.get(agent.id) ?? 0) + asked.memoryBytes
  if (asked.cpuMillis > 0 && cpu > agent.capacity.cpuMillis) return false
  if (asked.memoryBytes > 0 && memory > agent.capacity.memoryBytes) return false
  const taken = new Set(world.ports.get(agent.id))
  for (const { port } of asked.fixedPorts) if (taken.has(port)) return false
  for (const { port } of asked.fixedPorts) taken.add(port)
  let free = 0
  for (let port = agent.capacity.ports.from; port <= agent.capacity.ports.to; port++) if (!taken.has(port)) free++
  return free >= asked.dynamicPorts.length
}

interface Case {
  readonly group: PendingGroup
  readonly agents: readonly AgentView[]
  readonly world: World
}

function workloadAllows({ group, agents, world }: Case, agent: AgentView): boolean {
  const counts = world.perWorkload.get(group.workload) ?? new Map<string, number>()
  const asked = group.requirements
  if (asked.maxPerNode !== null && (counts.get(agent.id) ?? 0) + 1 > asked.maxPerNode) return false
  return asked.spread.every(({ key, maxSkew }) => {
    const sums = new Map<string, number>()
    for (const a of agents) if (labelsAllow(asked, a)) sums.set(a.labels[key] as string, 0)
    for (const a of agents) {
      const value = a.labels[key]
      if (value !== undefined && sums.has(value)) sums.set(value, (sums.get(value) as number) + (counts.get(a.id) ?? 0))
    }
    return (sums.get(agent.labels[key] as string) as number) + 1 - Math.min(...sums.values()) <= maxSkew
  })
}

export const allows = (one: Case, agent: AgentView): boolean =>
  labelsAllow(one.group.requirements, agent) && capacityAllows(one.group.requirements, agent, one.world) && workloadAllows(one, agent)

/** Puts a placement into the world; complains when it breaks a port rule. */
export function apply({ group, world }: Case, agent: AgentView, placement: Placement): string | null {
  const asked = group.requirements
  world.cpu.set(agent.id, (world.cpu.get(agent.id) ?? 0) + asked.cpuMillis)
  world.memory.set(agent.id, (world.memory.get(agent.id) ?? 0) + asked.memoryBytes)
  const counts = world.perWorkload.get(group.workload) ?? new Map<string, number>()
  counts.set(agent.id, (counts.get(agent.id) ?? 0) + 1)
  const taken = world.ports.get(agent.id) as Set<number>
  const names = [...asked.fixedPorts, ...asked.dynamicPorts].map(({ name }) => name)
  if (Object.keys(placement.ports).sort().join() !== [...names].sort().join()) return 'port names differ'
  for (const { name, port } of asked.fixedPorts) if (placement.ports[name] !== port) return `fixed port ${name} moved`
  for (const port of new Set(Object.values(placement.ports))) {
    if (taken.has(port)) return `port ${port} given twice on ${agent.id}`
    taken.add(port)
  }
  const dynamic = asked.dynamicPorts.map(({ name }) => placement.ports[name] as number)
  const { from, to } = agent.capacity.ports
  if (dynamic.some((port) => port < from || port > to)) return 'dynamic port out of range'
  return new Set(dynamic).size === dynamic.length ? null : 'a dynamic port twice in one task'
}
