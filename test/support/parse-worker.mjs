// The worker of the parse pool under a TypeScript loader; a build runs the compiled one.
import { register } from 'tsx/esm/api'

register()
await import('../../src/control/source/parse-worker.ts')
