import { killedProcessSuite } from './killed-process-suite.ts'

killedProcessSuite('sandbox')
