import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { aboutField } from './wording.ts'

/** Where every workload has the template that its tasks are made of. */
export const TEMPLATE: Path = ['spec', 'template', 'spec']

/** True when the document itself says the field; defaults are not written. */
export type Written = (path: Path) => boolean

/** A rule of one field: where, what is wrong, and how to mend it. */
export const broken = (path: Path, clause: string, hint: string | null = null): Located => ({
  path,
  on: 'value',
  tell: () => aboutField(path, clause, hint),
})
