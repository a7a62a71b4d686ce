import type { WorkloadState } from '../../../src/core/workload.ts'
import type { WorkloadKey } from '../../../src/model/ids.ts'
import type { CronState, Run } from '../../../src/model/records.ts'
import { attempt, CRON_KEY, cronJobState, digest, run, workload } from '../../support/make.ts'
import { Decider } from '../decide.ts'

export const ROOT_KEY = 'default/CronJob/root' as WorkloadKey

/** A CronJob, its runs, and what is decided about it. */
export class CronDecider extends Decider {
  constructor(spec: object = {}, over: Partial<WorkloadState> = {}) {
    super(cronJobState(spec, over))
  }

  /** Another spec from a later commit; what runs keeps the version that it began with. */
  commit(spec: object, word = 'new'): this {
    const { version, cron, record } = this.state
    const next = cronJobState(spec)
    const going = new Map([...(cron?.going ?? []), [record.inputsDigest, { version, machines: this.state.slots }] as const])
    const digests = { inputsDigest: digest(JSON.stringify(spec)), templateDigest: digest(word) }
    this.state = {
      ...this.state,
      version: next.version,
      record: workload({ ...record, ...digests, updatedAt: this.now, generation: record.generation + 1 }),
      cron: cron === null || next.cron === null ? null : { ...cron, calendar: next.cron.calendar, going },
    }
    return this
  }

  parents(...parents: (readonly Run[])[]): this {
    if (this.state.cron !== null) this.state = { ...this.state, cron: { ...this.state.cron, parents } }
    return this
  }

  get mark(): CronState | null {
    return this.state.cron?.state ?? null
  }

  /** All runs in order of their numbers, as `id phase` or the reason of one that failed. */
  get told(): string[] {
    const inOrder = [...this.state.runs].sort((a, b) => a.number - b.number)
    return inOrder.map(({ id, phase, reason }) => `${id.replace('default.export-', '')} ${phase === 'Failed' ? reason : phase}`)
  }

  /** Ends every task that is wanted. */
  end(phase: 'Succeeded' | 'Failed' = 'Succeeded'): this {
    const exitCode = phase === 'Succeeded' ? 0 : 1
    for (const id of this.ids) this.tell(id, { phase, failures: exitCode, attempts: [attempt(1, exitCode, this.now)] })
    return this.decide()
  }
}

/** A run of the CronJob before it, in a graph that is named after it. */
export const parentRun = (id: string, over: Partial<Run> = {}): Run =>
  run({
    id: id as Run['id'],
    workload: ROOT_KEY,
    graph: id as Run['id'],
    phase: 'Succeeded',
    finishedAt: 1,
    trigger: 'Manual',
    ...over,
  })

export const ownRun = (id: string, over: Partial<Run> = {}): Run =>
  run({ id: id as Run['id'], workload: CRON_KEY, trigger: 'After', ...over })
