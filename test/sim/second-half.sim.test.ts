import { it } from 'vitest'
import { expectClean } from './expect-clean.ts'

it('keeps every promise in seeds 251 to 500', () => expectClean(251, 500))
