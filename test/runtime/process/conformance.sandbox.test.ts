import { driverSuite } from '../driver-suite.ts'
import { processHarness } from './harness.ts'

driverSuite('process, in a sandbox', () => processHarness({ isolation: 'sandbox' }))
