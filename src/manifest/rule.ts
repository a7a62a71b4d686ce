import { BODY_PATH, bodyOf } from '../model/body.ts'
import type { WorkloadManifest } from '../model/manifest.ts'
import type { TemplateSpec } from '../model/template.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { aboutField } from './wording.ts'

/** Where a workload has the template that its tasks are made of, and what it says. */
export function templateOf(manifest: WorkloadManifest): { spec: TemplateSpec; at: Path } {
  return { spec: bodyOf(manifest).template.spec, at: [...BODY_PATH[manifest.kind], 'template', 'spec'] }
}

/** True when the document itself says the field; defaults are not written. */
export type Written = (path: Path) => boolean

/** A rule of one field: where, what is wrong, and how to mend it. */
export const broken = (path: Path, clause: string, hint: string | null = null): Located => ({
  path,
  on: 'value',
  tell: () => aboutField(path, clause, hint),
})
