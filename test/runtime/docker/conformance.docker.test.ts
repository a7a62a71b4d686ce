import { driverSuite } from '../driver-suite.ts'
import { dockerHarness } from './harness.ts'

driverSuite('docker', () => dockerHarness(), { patienceMs: 20_000 })
