/**
 * `npm run sim -- --seed N --count M [--mode safety|liveness] [--bug NAME|all] [--trace] [--shrink]`, narrowed by
 * `--seconds S --agents A --controls C --faults A,B --operations A,B`; see README.md.
 */
import { register } from 'node:module'

// Before anything of the product is loaded: a planted bug is woven into it.
if (process.argv.includes('--bug')) register(new URL('./plants/hooks.mjs', import.meta.url))
const { main } = await import('./command-line.ts')
process.exitCode = await main(process.argv.slice(2))
