import type { RunSpec } from '../model/batch.ts'
import { bodyOf } from '../model/body.ts'
import { DEFAULT_PRIORITY } from '../model/template.ts'
import type { WorkloadVersion } from '../model/version.ts'

/**
 * Everything of which a difference starts new tasks, or runs a Job again; its hash is the template digest.
 * The priority is none of it: it only says who goes first of those that have not begun.
 */
export function templateInputs(version: WorkloadVersion): Readonly<Record<string, unknown>> {
  const { configs, secrets, trees } = version
  const body = bodyOf(version)
  const { priority: _, ...spec } = body.template.spec
  const shape = 'completions' in body ? runShape(body) : {}
  return { template: { ...body.template, spec }, ...shape, configs, secrets, trees }
}

/** How often a run runs it is part of what it is; said only where it is not once, so that those keep their digests. */
function runShape({ mode, completions, completionMode }: RunSpec): Record<string, unknown> {
  return mode === 'Replicated' && completionMode === 'NonIndexed' && completions === 1 ? {} : { mode, completions, completionMode }
}

/** 0 to 100; a higher one is placed first. */
export const priorityOf = (version: WorkloadVersion): number => bodyOf(version).template.spec.priority ?? DEFAULT_PRIORITY
