import { it } from 'vitest'
import { expectClean } from './expect-clean.ts'

it('keeps every promise in seeds 1 to 250', () => expectClean(1, 250))
