import { describe, expect, it } from 'vitest'
import { formatIndexes, parseIndexes } from '../../../src/core/batch/index-set.ts'
import { withRuns } from '../../../src/core/batch/job.ts'
import { planJob } from '../../../src/core/batch/plan-job.ts'
import { ofOldRuns } from '../../../src/core/retention.ts'
import type { TaskState } from '../../../src/core/task-state.ts'
import type { WorkloadState } from '../../../src/core/workload.ts'
import type { JobSpec } from '../../../src/model/batch.ts'
import type { AgentId, TaskId } from '../../../src/model/ids.ts'
import { MAX_VALUE_BYTES } from '../../../src/store/store.ts'
import { attempt, JOB_KEY, jobState, NOW, observed, task } from '../../support/make.ts'
import { SECOND } from './make.ts'

const COMPLETIONS = 100_000
const PARALLELISM = 1000

interface Extent {
  tasks: number
  record: number
}

/** Carries out every plan for a run at once; each round a part of what runs ends as `fate` says. */
function runThrough(
  spec: object,
  fate: (task: TaskState, round: number) => 'Succeeded' | 'Failed' | 'Running',
): { extent: Extent; state: WorkloadState } {
  let state = jobState(spec)
  const job = state.version.spec as JobSpec
  let now = NOW
  let ids = 0
  const extent: Extent = { tasks: 0, record: 0 }
  for (let round = 0; round < 5000; round += 1) {
    const looked = withRuns(state, job)
    const plan = planJob(looked, job, now)
    const gone = new Set(ofOldRuns(looked.tasks, plan, now).map((one) => one.task.id))
    const made = plan.create.map(({ slot, run }): TaskState => {
      ids += 1
      return {
        task: task({ id: `migrate-${ids}` as TaskId, workload: JOB_KEY, run, slot, agent: 'm' as AgentId, createdAt: now }),
        observed: undefined,
      }
    })
    state = { ...state, runs: plan.runs, tasks: [...looked.tasks.filter((one) => !gone.has(one.task.id)), ...made] }
    const [run] = plan.runs
    extent.tasks = Math.max(extent.tasks, state.tasks.length)
    extent.record = Math.max(extent.record, JSON.stringify(run).length)
    if (run?.finishedAt !== null) break
    now = Math.max(now + SECOND, plan.create.length === 0 && state.tasks.every(isEnded) ? (plan.wakeAt ?? 0) : 0)
    state = { ...state, tasks: state.tasks.map((one) => (isEnded(one) ? one : said(one, fate(one, round), now))) }
  }
  return { extent, state }
}

const isEnded = ({ observed: told }: TaskState): boolean => told !== undefined && told.phase !== 'Running'

function said({ task: one }: TaskState, phase: 'Succeeded' | 'Failed' | 'Running', now: number): TaskState {
  const exitCode = phase === 'Succeeded' ? 0 : 1
  const attempts = phase === 'Running' ? [] : [attempt(1, exitCode, now)]
  return {
    task: one,
    observed: observed({
      task: one.id,
      phase,
      ready: false,
      readySince: null,
      failures: phase === 'Failed' ? 1 : 0,
      attempts,
      updatedAt: now,
    }),
  }
}

/** Always the same for the same task, and without a pattern. */
const chance = ({ task: one }: TaskState, round: number, outOf: number): boolean =>
  (Number(one.slot) * 7919 + round * 104_729) % outOf === 0

const never = { template: { spec: { driver: 'fake', restartPolicy: 'Never', containers: [{ name: 'main', image: 'a:1' }] } } }
const large = { completions: COMPLETIONS, parallelism: PARALLELISM }

describe(`a run of ${COMPLETIONS} completions, ${PARALLELISM} at once`, () => {
  it('holds few of its tasks at any time, and a small record', () => {
    const { extent, state } = runThrough(large, (one, round) => (chance(one, round, 3) ? 'Succeeded' : 'Running'))
    expect(state.runs).toMatchObject([{ phase: 'Succeeded', succeeded: `0-${COMPLETIONS - 1}` }])
    expect(extent.tasks).toBeLessThanOrEqual(2 * PARALLELISM + 150)
    expect(extent.record).toBeLessThan(MAX_VALUE_BYTES)
  })

  it('does so too where a tenth of the attempts fails, and each index counts by itself', () => {
    const spec = { ...never, ...large, completionMode: 'Indexed', backoffLimitPerIndex: 6 }
    const { extent, state } = runThrough(spec, (one, round) => (chance(one, round, 10) ? 'Failed' : 'Succeeded'))
    expect(state.runs[0]?.finishedAt).not.toBeNull()
    expect(extent.tasks).toBeLessThanOrEqual(2 * PARALLELISM + 150 + 7 * 1000)
    expect(extent.record).toBeLessThan(MAX_VALUE_BYTES)
  })

  it('does so too where every second index fails for good', () => {
    const spec = { ...never, ...large, parallelism: 5 * PARALLELISM, completionMode: 'Indexed', backoffLimitPerIndex: 0 }
    const { extent, state } = runThrough(spec, ({ task: one }) => (Number(one.slot) % 2 === 0 ? 'Succeeded' : 'Failed'))
    expect(state.runs).toMatchObject([{ phase: 'Failed', reason: 'FailedIndexes' }])
    const even = Array.from({ length: COMPLETIONS / 2 }, (_, index) => [2 * index, 2 * index] as const)
    expect(parseIndexes(state.runs[0]?.succeeded ?? '')).toEqual(even)
    expect(state.runs[0]?.succeeded).toBe(formatIndexes(even))
    expect(extent.record).toBeLessThan(MAX_VALUE_BYTES)
  })
})
