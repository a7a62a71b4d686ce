import { bodyOf } from '../model/body.ts'
import type { WorkloadManifest } from '../model/manifest.ts'
import { GIVE_UP_MARGIN, replaceAfter } from '../model/unreachable.ts'
import type { Located } from './issues.ts'
import { broken, templateOf } from './rule.ts'

/** What a template says of machines that fall silent, against what else the workload says. */
export function unreachableRules(manifest: WorkloadManifest): Located[] {
  return templateOf(manifest).spec.unreachable === undefined ? [] : [...notReplaced(manifest), ...givenUpFirst(manifest)]
}

function notReplaced(manifest: WorkloadManifest): Located[] {
  const { spec, at } = templateOf(manifest)
  const path = [...at, 'unreachable', 'replaceAfterSeconds']
  if (typeof spec.unreachable?.replaceAfterSeconds !== 'number') return []
  const body = bodyOf(manifest)
  if (manifest.kind === 'Deployment' && body.mode === 'Global')
    return [broken(path, 'has no meaning with mode: Global', 'remove it: each task belongs to its machine')]
  if (!('exclusive' in body) || !body.exclusive) return []
  // Also one that its machine should have given up: the agent there may be what died, and nobody else stops it.
  const clause = 'would start a second attempt beside one that may still run, which exclusive forbids'
  return [broken(path, clause, 'remove one of the two; `drover forget agent/NAME` says that a machine will not return')]
}

/** A machine gives a task up before another one starts it. */
function givenUpFirst(manifest: WorkloadManifest): Located[] {
  const { spec, at } = templateOf(manifest)
  const stop = spec.unreachable?.stopLocalAfterSeconds
  const replace = replaceAfter(spec.unreachable, manifest.kind)
  const isGlobal = manifest.kind === 'Deployment' && bodyOf(manifest).mode === 'Global'
  if (stop === undefined || replace === null || isGlobal || stop + GIVE_UP_MARGIN <= replace) return []
  const clause = `must be at least ${GIVE_UP_MARGIN} below replaceAfterSeconds, which is ${replace}`
  const least = stop + GIVE_UP_MARGIN
  return [
    broken([...at, 'unreachable', 'stopLocalAfterSeconds'], clause, `use ${replace - GIVE_UP_MARGIN}, or replaceAfterSeconds: ${least}`),
  ]
}
