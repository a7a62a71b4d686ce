import type { Run } from '../../../src/model/records.ts'
import type { MakeChecker } from '../checker.ts'
import { changesOf } from '../mirror.ts'

/** How a run ends that was no verdict on its template, so that another may follow. */
const GAVE_WAY: ReadonlySet<string> = new Set(['Superseded', 'Removed', 'RolledBack'])

/** A run ends once, gets no task after that, and never completes more often than asked; a slot has one run, whatever became of its record. */
export const jobsChecker: MakeChecker = ({ findings }) => {
  const slots = new Set<string>()
  const once = ({ workload, slot, id }: Run): void => {
    const place = `${workload} ${slot}`
    if (slots.has(place)) findings.report('SlotOnce', `${id} is a second run of its slot`)
    slots.add(place)
  }
  return {
    committed({ changes, mirror }) {
      for (const { id, before, after } of changesOf(changes, 'runs')) {
        if (before === undefined || before.finishedAt === null) continue
        if (after?.phase !== before.phase || after.finishedAt !== before.finishedAt)
          findings.report('RunEndsOnce', `run ${id} ended ${before.phase} at ${before.finishedAt} and became ${after?.phase ?? 'nothing'}`)
      }
      for (const { before, after } of changesOf(changes, 'runs')) {
        if (before !== undefined || after === undefined) continue
        if (after.slot !== null && after.trigger === 'Schedule') once(after)
        // A person may run it as often as they like.
        if (after.trigger !== 'Sync') continue
        const version = mirror.version(after.inputsDigest)
        if (version?.kind !== 'Job' || version.spec.runPolicy !== 'OncePerSpec') continue
        const same = [...mirror.table('runs').values()].find(
          (run) =>
            run.id !== after.id &&
            run.workload === after.workload &&
            run.templateDigest === after.templateDigest &&
            !GAVE_WAY.has(run.reason ?? ''),
        )
        if (same !== undefined) findings.report('OncePerSpec', `${after.id} runs the template that ${same.id} ran`)
      }
      for (const { before, after } of changesOf(changes, 'tasks')) {
        // One that was made and taken back in the same turn never runs.
        if (before !== undefined || after === undefined || after.run === null || after.desired === 'stop') continue
        const run = mirror.table('runs').get(after.run)
        if (run === undefined || run.finishedAt !== null)
          findings.report('RunEndsOnce', `run ${after.run} got task ${after.id} after its end`)
      }
      for (const { before, after } of changesOf(changes, 'observed')) {
        if (after?.phase !== 'Succeeded' || before?.phase === 'Succeeded') continue
        const task = mirror.table('tasks').get(after.task)
        if (task?.run == null) continue
        const twin = mirror
          .tasksOf(task.workload)
          .find(
            (state) =>
              state.task.run === task.run &&
              state.task.slot === task.slot &&
              state.task.id !== task.id &&
              state.observed?.phase === 'Succeeded',
          )
        if (twin !== undefined) findings.report('CompletedOnce', `slot ${task.slot} of run ${task.run} succeeded twice`)
      }
    },
  }
}
