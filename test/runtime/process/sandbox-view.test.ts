import { expect, it } from 'vitest'
import { sharedView } from '../../../runtime/drivers/process/sandbox.ts'
import { must } from '../../../src/lib/must.ts'
import { ProcessPolicy } from '../../../src/model/process-policy.ts'
import { processSpec } from './harness.ts'

const system = ['/usr', '/etc', '/run/systemd/resolve', '/run/resolvconf'].map((path) => ({ path, real: path }))

it.each([
  ['Host', ['/usr', '/etc', '/run/systemd/resolve', '/run/resolvconf']],
  ['None', ['/usr', '/etc']],
] as const)('a sandbox with network %s sees of the system %j: who resolves names for others is a way out', async (network, seen) => {
  const unit = must(processSpec(['true'], { sandbox: { network, hostPaths: [] } }).units[0], 'a unit')
  const { mounts } = await sharedView(unit, { policy: ProcessPolicy.parse({}), system, privateDirs: [] })
  expect(mounts.map(({ target }) => target)).toEqual(seen)
})
