import { HealthView } from '../model/views.ts'
import { type Client, Unreachable } from './client.ts'
import type { CliClock } from './deps.ts'
import { messageOf } from './exit.ts'
import { type Finding, ok, warn } from './finding.ts'

/** Beyond this, certificates, schedules and logs go wrong; milliseconds. */
const CLOCK_MAY_DIFFER = 5_000

/** What only the control plane knows, and whether its clock is ours. None where none answers: another check says that. */
export async function serverFindings(client: Client, clock: CliClock): Promise<Finding[]> {
  const askedAt = clock.now()
  try {
    const { now, findings } = await client.get('/api/v1/health', HealthView)
    return [clockFinding(Date.parse(now), { askedAt, answeredAt: clock.now() }), ...findings]
  } catch (error) {
    if (error instanceof Unreachable) return []
    return [warn('server health', messageOf(error), 'see the log of the server, and whether `drover version` shows one version twice')]
  }
}

/** The server looked at its clock some time between the two. */
function clockFinding(server: number, { askedAt, answeredAt }: { askedAt: number; answeredAt: number }): Finding {
  const off = server < askedAt ? server - askedAt : Math.max(0, server - answeredAt)
  if (Math.abs(off) <= CLOCK_MAY_DIFFER) return ok('clock', 'as the server has it')
  const detail = `the server's is ${(Math.abs(off) / 1000).toFixed(1)} s ${off > 0 ? 'ahead' : 'behind'}`
  return warn('clock', detail, 'keep the clocks of all machines in step, by chrony or systemd-timesyncd')
}
