import { delimiter, isAbsolute } from 'node:path'
import type { Isolation } from '../../../src/model/process.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import type { Context } from './context.ts'
import { isAtOrInside } from './files.ts'
import { isolationFor } from './isolation.ts'
import { accountFor, unitOf } from './policy.ts'
import { commandOf, DEFAULT_PATH, programFor } from './program.ts'
import { SANDBOX_HOME, sharedView } from './sandbox.ts'
import { checkUlimits } from './ulimits.ts'
import { WHOLE_MACHINE } from './view.ts'

/** Whether the program may come with the task's own files, which are not here yet. */
function mayComeAlong(word: string, unit: UnitSpec, isolation: Isolation): boolean {
  const isOwn = (path: string): boolean => !isAbsolute(path) || (isolation === 'sandbox' && isAtOrInside(SANDBOX_HOME.work, path))
  return word.includes('/') ? isOwn(word) : (unit.env.PATH ?? DEFAULT_PATH).split(delimiter).some(isOwn)
}

/** All checks that need no files of the task. @throws TerminalError with what this machine or its policy refuses */
export async function prepareTask(context: Context, spec: TaskSpec): Promise<void> {
  const { policy } = context
  const unit = unitOf(spec)
  const facts = await context.facts()
  const isolation = isolationFor(unit, policy, facts)
  await accountFor({ unit, isolation }, policy, facts)
  await checkUlimits(unit, facts)
  const view = isolation === 'sandbox' ? await sharedView(unit, { ...context, system: facts.system }) : WHOLE_MACHINE
  const [word = ''] = commandOf(unit)
  if (!mayComeAlong(word, unit, isolation)) await programFor(word, { path: unit.env.PATH, cwd: '/', view }, policy)
}
