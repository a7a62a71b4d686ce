import { driverSuite } from '../driver-suite.ts'
import { processHarness } from './harness.ts'

driverSuite('process, in a cgroup where there is one', () => processHarness())
driverSuite('process, without cgroups', () => processHarness({ isolation: 'none' }), {
  lacks: { memory: 'no cgroup counts it' },
})
