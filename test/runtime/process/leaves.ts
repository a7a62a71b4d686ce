import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttemptRef } from '../../../runtime/driver.ts'
import { type Ability, probeCgroups } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { keyOf, layoutOf } from '../../../runtime/drivers/process/names.ts'
import { must } from '../../../src/lib/must.ts'

/** A counter of an attempt's own cgroup, such as `nr_throttled` of `cpu.stat`, as the kernel keeps it. */
export async function counter(stateDir: string, ref: AttemptRef, what: { ability: Ability; file: string; name: string }): Promise<number> {
  const { tree } = await probeCgroups(`drover-test-${layoutOf(stateDir).mark}`)
  const { base } = must(
    tree.find(({ abilities }) => abilities.has(what.ability)),
    `this machine has a cgroup for ${what.ability}`,
  )
  const text = await readFile(join(base, keyOf(ref), what.file), 'utf8')
  return Number(new RegExp(`^${what.name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
}
