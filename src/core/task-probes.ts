import type { PortRef, Probe, ProbeCheck, ProbeSpec, ProbeSpecs } from '../model/probe.ts'
import type { UnitSpec } from '../model/task-spec.ts'
import type { ContainerSpec, ProcessSpec } from '../model/template.ts'

/** Where the task's own address is: a container's on the bridge, or the machine's. */
type Network = 'bridge' | 'host'
type PortNumber = (port: PortRef) => number

/** The probes that a unit gives, with every port as the number to ask at the task's own address. */
export function probeSpecs(unit: ContainerSpec | ProcessSpec, ports: UnitSpec['ports'], network: Network): ProbeSpecs {
  const numberOf: PortNumber = (port) => (typeof port === 'number' ? port : namedPort(port, ports, network))
  const { startupProbe, readinessProbe, livenessProbe } = unit
  return {
    ...(startupProbe === undefined ? {} : { startup: probeSpec(startupProbe, numberOf) }),
    ...(readinessProbe === undefined ? {} : { readiness: probeSpec(readinessProbe, numberOf) }),
    ...(livenessProbe === undefined ? {} : { liveness: probeSpec(livenessProbe, numberOf) }),
  }
}

/** On the bridge a container listens where it says; on the machine's network on the port that it was given. */
function namedPort(name: string, ports: UnitSpec['ports'], network: Network): number {
  const port = ports.find((one) => one.name === name)
  const own = network === 'bridge' ? port?.containerPort : undefined
  return own ?? port?.hostPort ?? NO_PORT
}

/** Manifests that name no port of theirs are refused; should one get by, its probe fails and says so. */
const NO_PORT = 0

function probeSpec(probe: Probe, numberOf: PortNumber): ProbeSpec {
  return {
    check: probeCheck(probe, numberOf),
    initialDelaySeconds: probe.initialDelaySeconds,
    periodSeconds: probe.periodSeconds,
    timeoutSeconds: probe.timeoutSeconds,
    successThreshold: probe.successThreshold,
    failureThreshold: probe.failureThreshold,
  }
}

function probeCheck({ httpGet, tcpSocket, exec }: Probe, numberOf: PortNumber): ProbeCheck {
  if (httpGet !== undefined) {
    const { scheme, host = null, path, httpHeaders } = httpGet
    return { type: 'http', scheme, host, port: numberOf(httpGet.port), path, headers: httpHeaders }
  }
  if (tcpSocket !== undefined) return { type: 'tcp', host: tcpSocket.host ?? null, port: numberOf(tcpSocket.port) }
  return { type: 'exec', command: exec?.command ?? [] }
}
