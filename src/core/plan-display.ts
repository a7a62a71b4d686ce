import type { WorkloadVersion } from '../model/version.ts'
import { formatCpu, formatMemory } from './plan-quantity.ts'

type Json = Readonly<Record<string, unknown>>
type Unit = NonNullable<WorkloadVersion['spec']['template']['spec']['containers' | 'processes']>[number]
type Amounts = Unit['resources']['limits']

/** The spec as a manifest would say it: `500m`, `512Mi`, and `dynamic` for a port that the scheduler chooses. */
export function displaySpec({ spec }: WorkloadVersion): Json {
  const { containers, processes, ...template } = spec.template.spec
  const units = {
    ...(containers === undefined ? {} : { containers: containers.map(displayUnit) }),
    ...(processes === undefined ? {} : { processes: processes.map(displayUnit) }),
  }
  return { ...spec, template: { ...spec.template, spec: { ...template, ...units } } }
}

function displayUnit(unit: Unit): Json {
  const { requests, limits } = unit.resources
  const ports = unit.ports.map((port) => ({ ...port, hostPort: port.hostPort === 0 ? 'dynamic' : port.hostPort }))
  return { ...unit, ports, resources: { requests: displayAmounts(requests), limits: displayAmounts(limits) } }
}

function displayAmounts({ cpu, memory }: Amounts): Json {
  return {
    ...(cpu === undefined ? {} : { cpu: plain(formatCpu(cpu)) }),
    ...(memory === undefined ? {} : { memory: plain(formatMemory(memory)) }),
  }
}

/** A quantity without a unit is a number, as in a manifest. */
const plain = (quantity: string): string | number => (/^[\d.]+$/.test(quantity) ? Number(quantity) : quantity)
