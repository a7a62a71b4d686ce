import type { DriverName } from '../../model/task-spec.ts'
import type { ContainerSpec, ProcessSpec, TemplateSpec } from '../../model/template.ts'
import type { Requirements } from './types.ts'

type Unit = ContainerSpec | ProcessSpec

/** What a task of this template asks of a machine: requests, defaulting to limits, else nothing. */
export function requirementsOf(template: TemplateSpec): Requirements {
  const units: readonly Unit[] = [...(template.containers ?? []), ...(template.processes ?? [])]
  const ports = units.flatMap((unit) => unit.ports)
  return {
    cpuMillis: total(units, ({ requests, limits }) => requests.cpu ?? limits.cpu),
    memoryBytes: total(units, ({ requests, limits }) => requests.memory ?? limits.memory),
    fixedPorts: ports.filter((port) => port.hostPort !== 0).map(({ name, hostPort, protocol }) => ({ name, port: hostPort, protocol })),
    dynamicPorts: ports.filter((port) => port.hostPort === 0).map(({ name, protocol }) => ({ name, protocol })),
    nodeSelector: template.placement.nodeSelector,
    constraints: template.placement.constraints,
    spread: template.placement.spread,
    maxPerNode: template.placement.maxPerNode ?? null,
    driver: driverOf(template),
    isolation: template.processes?.find(({ isolation }) => isolation !== undefined)?.isolation ?? null,
  }
}

function total(units: readonly Unit[], ask: (resources: Unit['resources']) => number | undefined): number {
  return units.reduce((sum, unit) => sum + (ask(unit.resources) ?? 0), 0)
}

/** The driver a template needs: as said, else by what it holds. */
export function driverOf(template: TemplateSpec): DriverName {
  return template.driver ?? (template.containers === undefined ? 'process' : 'docker')
}
