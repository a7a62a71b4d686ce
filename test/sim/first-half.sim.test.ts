import { it } from 'vitest'
import { expectClean } from './expect-clean.ts'

it('keeps every promise in seeds 1 to 250', () => expectClean('safety', 1, 250))
it('gets on with what is healed in seeds 1 to 100', () => expectClean('liveness', 1, 100))
