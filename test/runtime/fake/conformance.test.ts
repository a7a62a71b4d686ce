import { driverSuite } from '../driver-suite.ts'
import { fileHarness, memoryHarness } from './harness.ts'

const PRETENDS = 'it pretends: there is no process behind it'
const lacks = {
  print: 'it prints its own story only',
  printSlowly: 'it prints its own story only',
  ignoreTerm: PRETENDS,
  tree: PRETENDS,
  killed: PRETENDS,
  serve: PRETENDS,
  usage: PRETENDS,
  memory: PRETENDS,
}

driverSuite('fake, in memory', memoryHarness, { lacks })
driverSuite('fake, on files', fileHarness, { lacks })
