import type { ProbeCheck } from '../../src/model/probe.ts'
import type { ProbeResult } from '../driver.ts'
import { httpProbe } from './http.ts'
import { tcpProbe } from './tcp.ts'

export type NetworkCheck = Exclude<ProbeCheck, { type: 'exec' }>

/** Asks at the address the check names, or at the task's own. Never throws: what goes wrong is the answer. */
export function networkProbe(check: NetworkCheck, own: string, signal: AbortSignal): Promise<ProbeResult> {
  const host = check.host ?? own
  return check.type === 'http' ? httpProbe(check, host, signal) : tcpProbe(host, check.port, signal)
}
