import { orAbandon } from '../../../src/lib/abandon.ts'
import { RetryableError } from '../../../src/lib/errors.ts'
import type { ProbeRequest, ProbeResult } from '../../driver.ts'
import { networkProbe } from '../../probes/network.ts'
import type { Addresses } from './addresses.ts'
import { type ExecTools, execProbe, NOT_RUNNING } from './exec-probe.ts'

export interface ProbeTools extends ExecTools {
  readonly addresses: Pick<Addresses, 'of'>
}

/**
 * Asks a container once. @throws RetryableError when the engine is silent, which says nothing about the task:
 * a frozen daemon must not get the tasks of its machine killed.
 */
export async function probeContainer(tools: ProbeTools, id: string, request: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  try {
    return await ask(tools, id, request, signal)
  } catch (error) {
    if (signal.aborted) throw new RetryableError(`Docker did not answer in time to probe ${id}`, { cause: error })
    throw error
  }
}

async function ask(tools: ProbeTools, id: string, { check, spec }: ProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  if (check.type === 'exec') return await execProbe(tools, { id, command: check.command }, signal)
  const own = await orAbandon(tools.addresses.of(id, spec), signal)
  return own === null ? NOT_RUNNING : await networkProbe(check, own, signal)
}
