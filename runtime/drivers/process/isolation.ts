import { TerminalError } from '../../../src/lib/errors.ts'
import { type Isolation, isolatesAs } from '../../../src/model/process.ts'
import type { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import type { Facts } from './facts.ts'

const has = ({ cgroups }: Facts, ability: string): boolean =>
  cgroups.some((hierarchy) => [...hierarchy.abilities].some((one) => one === ability))

/** A fork bomb that nothing stops would be no isolation, so a limit of processes is the least that `cgroup` means. */
const LEAST = 'pids'

/** Why there are no sandboxes here; null: there are. */
export const sandboxRefusal = (facts: Facts): string | null =>
  facts.sandbox ?? (has(facts, LEAST) ? null : 'it needs a cgroup that limits processes')

/** What a manifest may ask of this machine. */
export const isolationsOf = (facts: Facts): readonly Isolation[] =>
  has(facts, LEAST) ? ['none', 'cgroup', ...(sandboxRefusal(facts) === null ? (['sandbox'] as const) : [])] : ['none']

/**
 * How far the task is kept apart here: as it asks, or else at least as the policy wants. Without either it is put into
 * a cgroup where there is one, and its limits hold as far as that can hold them.
 * @throws TerminalError `IsolationNotAllowed`; `NoCgroup`, `NoSandbox` when this machine cannot do what is insisted on
 */
export function isolationFor({ isolation, limits }: UnitSpec, policy: ProcessPolicy, facts: Facts): Isolation {
  if (isolation !== undefined && !isolatesAs(isolation, policy.minIsolation))
    throw new TerminalError('IsolationNotAllowed', `the agent wants at least isolation: ${policy.minIsolation}, not ${isolation}`)
  if (isolation === undefined && policy.minIsolation === 'none') return facts.cgroups.length > 0 ? 'cgroup' : 'none'
  const insisted = isolation ?? policy.minIsolation
  if (insisted !== 'none') checkCgroups(limits, facts)
  if (insisted === 'sandbox' && facts.sandbox !== null)
    throw new TerminalError('NoSandbox', `this machine has no sandbox: ${facts.sandbox}`)
  return insisted
}

function checkCgroups({ memoryBytes, cpuMillis }: UnitSpec['limits'], facts: Facts): void {
  const wanted = [LEAST, ...(memoryBytes ? ['memory'] : []), ...(cpuMillis ? ['cpu'] : [])]
  const missing = wanted.filter((ability) => !has(facts, ability))
  if (missing.length === 0) return
  const why = facts.refusals.length === 0 ? 'no such cgroup is mounted' : facts.refusals.join('; ')
  throw new TerminalError('NoCgroup', `this machine cannot limit ${missing.join(', ')}: ${why}`)
}
