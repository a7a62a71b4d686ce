import { it } from 'vitest'
import { expectClean } from './expect-clean.ts'

it('keeps every promise in seeds 251 to 500', () => expectClean('safety', 251, 500))
it('gets on with what is healed in seeds 101 to 200', () => expectClean('liveness', 101, 200))
