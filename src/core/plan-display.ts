import type { RunSpec } from '../model/batch.ts'
import type { DeploymentSpec } from '../model/manifest.ts'
import { DEFAULT_PRIORITY, type ProcessSpec, type TemplateSpec } from '../model/template.ts'
import type { WorkloadVersion } from '../model/version.ts'
import { formatCpu, formatMemory } from './plan-quantity.ts'

type Json = Readonly<Record<string, unknown>>
type Unit = NonNullable<TemplateSpec['containers' | 'processes']>[number]
type Amounts = Unit['resources']['limits']

/** The spec as a manifest would say it: `500m`, `512Mi`, `dynamic` for a port that the scheduler chooses, and the priority that is left out. */
export function displaySpec(version: WorkloadVersion): Json {
  if (version.kind !== 'CronJob') return displayBody(version.spec)
  const { jobTemplate, ...rest } = version.spec
  return { ...rest, jobTemplate: { ...jobTemplate, spec: displayBody(jobTemplate.spec) } }
}

function displayBody(body: DeploymentSpec | RunSpec): Json {
  const { containers, processes, priority = DEFAULT_PRIORITY, ...template } = body.template.spec
  const units = {
    ...(containers === undefined ? {} : { containers: containers.map(displayUnit) }),
    ...(processes === undefined ? {} : { processes: processes.map(displayUnit) }),
  }
  return { ...body, template: { ...body.template, spec: { ...template, priority, ...units } } }
}

function displayUnit(unit: Unit): Json {
  const { requests, limits } = unit.resources
  const ports = unit.ports.map((port) => ({ ...port, hostPort: port.hostPort === 0 ? 'dynamic' : port.hostPort }))
  const resources = { requests: displayAmounts(requests), limits: displayAmounts(limits) }
  return { ...unit, ports, resources, ...('ulimits' in unit ? { ulimits: displayUlimits(unit.ulimits) } : {}) }
}

function displayUlimits({ core, fsize, ...counts }: NonNullable<ProcessSpec['ulimits']> = {}): Json {
  return {
    ...counts,
    ...(core === undefined ? {} : { core: plain(formatMemory(core)) }),
    ...(fsize === undefined ? {} : { fsize: plain(formatMemory(fsize)) }),
  }
}

function displayAmounts({ cpu, memory }: Amounts): Json {
  return {
    ...(cpu === undefined ? {} : { cpu: plain(formatCpu(cpu)) }),
    ...(memory === undefined ? {} : { memory: plain(formatMemory(memory)) }),
  }
}

/** A quantity without a unit is a number, as in a manifest. */
const plain = (quantity: string): string | number => (/^[\d.]+$/.test(quantity) ? Number(quantity) : quantity)
