import type { CronJobSpec } from '../../../../src/model/batch.ts'
import { type WorkloadKey, workloadKey } from '../../../../src/model/ids.ts'
import type { Run } from '../../../../src/model/records.ts'
import type { Op } from '../../../../src/store/store.ts'
import { runsIn } from './run-oracle.ts'
import type { Look, Oracle } from './world.ts'

/** What is known of a CronJob that starts after others. */
interface Node {
  readonly after: string
  /** Runs of parents, joined, that start nothing here. */
  readonly passed: ReadonlySet<string>
}

interface Ready {
  readonly graph: string
  readonly parents: readonly string[]
  readonly readyAt: number
}

/** Says from every run that ever was which runs of a graph are due where, and holds each look to it. */
export class GraphOracle implements Oracle {
  readonly broken: string[] = []
  followed = 0
  /** In the order in which they came to be. */
  #durable = new Map<string, Run>()
  #view = new Map<string, Run>()
  #durableNodes = new Map<string, Node>()
  #nodes = new Map<string, Node>()

  look({ state, writes, now }: Look): void {
    this.#see(state.runs)
    const { version, record } = state
    const told = runsIn(writes)
    const known = new Set(state.runs.map(({ id }) => id))
    const after = new Map([...state.runs, ...told].map((run) => [run.id, run]))
    if (version.kind === 'CronJob' && version.spec.after !== undefined && record.wanted) {
      const open = state.runs.filter(({ id, finishedAt }) => finishedAt === null && isOpen(after.get(id)))
      const expected = this.#expect(version.spec, { state, writes, now }, open.length)
      const begun = told.filter(({ id, trigger }) => trigger === 'After' && !known.has(id))
      const found = begun.map(({ graph, parents }) => `${graph} after ${parents.join(' ')}`)
      const wanted = expected.map(({ graph, parents }) => `${graph} after ${parents.join(' ')}`)
      if (JSON.stringify(found) !== JSON.stringify(wanted))
        this.broken.push(
          `${new Date(now).toISOString()} ${record.key} starts ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`,
        )
      if (begun.some(({ id }, index) => begun.findIndex((one) => one.id === id) !== index))
        this.broken.push(`${record.key} names two runs alike`)
      this.followed += begun.length
    }
    if (!record.wanted)
      this.#leave(
        record.key,
        writes.some(({ table, value }) => table === 'workloads' && value === null),
      )
    this.#see(told)
    for (const { table, id, value } of writes) if (table === 'runs' && value === null) this.#view.delete(id)
  }

  /** What is due and has not started: at the end of all there is to be none. */
  waiting(key: WorkloadKey, spec: CronJobSpec): readonly Ready[] {
    const passed = this.#nodes.get(key)?.passed ?? new Set()
    return this.#ready(key, spec).filter(({ parents }) => !passed.has(parents.join(' ')))
  }

  #expect(spec: CronJobSpec, { state }: Look, open: number): readonly Ready[] {
    const { key } = state.record
    const after = [...(spec.after ?? [])].sort().join(' ')
    const before = this.#nodes.get(key)
    const passed = new Set(before?.passed ?? [])
    const pass = (graphs: readonly Ready[]): void => {
      for (const { parents } of graphs) passed.add(parents.join(' '))
    }
    // By the order of events: every look follows at once what git says, so what is ready at the first one was so before. Clocks jump.
    if (before?.after !== after) pass(this.#ready(key, spec))
    const due = this.#ready(key, spec).filter(({ parents }) => !passed.has(parents.join(' ')))
    if (spec.suspend || (spec.concurrencyPolicy === 'Replace' && state.unmet.length === 0)) pass(spec.suspend ? due : due.slice(0, -1))
    this.#nodes.set(key, { after, passed })
    if (spec.suspend || state.unmet.length > 0) return []
    if (spec.concurrencyPolicy === 'Replace') return due.slice(-1)
    return spec.concurrencyPolicy === 'Allow' ? due : due.slice(0, open === 0 ? 1 : 0)
  }

  /** Runs of the graph in which the newest run of each parent succeeded, and which no run here stands for. */
  #ready(key: WorkloadKey, { after }: CronJobSpec): Ready[] {
    const all = [...this.#view.values()]
    const parents = (after ?? []).map((name) => all.filter(({ workload }) => workload === workloadKey('default', 'CronJob', name)))
    const done = new Set(all.flatMap((run) => (run.workload === key ? [run.parents.join(' ')] : [])))
    const graphs = [...new Set(parents[0]?.flatMap(({ graph }) => graph ?? []))]
    return graphs
      .flatMap((graph) => {
        const newest = parents.map((runs) => runs.findLast((run) => run.graph === graph))
        const good = newest.flatMap((run) => (run?.phase === 'Succeeded' ? [run] : []))
        if (good.length < parents.length) return []
        const ids = good.map(({ id }) => id as string)
        return done.has(ids.join(' ')) ? [] : [{ graph, parents: ids, readyAt: Math.max(...good.map(({ finishedAt }) => finishedAt ?? 0)) }]
      })
      .sort((a, b) => a.readyAt - b.readyAt || (a.graph < b.graph ? -1 : 1))
  }

  #see(runs: readonly Run[]): void {
    for (const run of runs) this.#view.set(run.id, run)
  }

  /** One that returns before it is gone begins anew; so does what comes later under its name. */
  #leave(key: string, isGone: boolean): void {
    const node = this.#nodes.get(key)
    if (isGone) this.#nodes.delete(key)
    else if (node !== undefined) this.#nodes.set(key, { ...node, after: 'nothing' })
  }

  commit(ops: readonly Op[], how: 'Whole' | 'Cut'): void {
    const nodes = this.#nodes
    if (how === 'Cut') {
      this.#view = new Map(this.#durable)
      this.#nodes = new Map(this.#durableNodes)
      for (const op of ops) this.#take(op, nodes)
    }
    this.#durable = new Map(this.#view)
    this.#durableNodes = new Map(this.#nodes)
  }

  #take(op: Op, nodes: ReadonlyMap<string, Node>): void {
    const [table, ...rest] = op.key.split('/')
    const key = rest.join('/')
    if (table === 'runs' && op.op === 'put') this.#view.set(key, JSON.parse(op.value) as Run)
    if (table === 'runs' && op.op === 'delete') this.#view.delete(key)
    const node = nodes.get(key)
    if (table === 'schedules' && op.op === 'put' && node !== undefined) this.#nodes.set(key, node)
    if (table === 'workloads' && op.op === 'delete') this.#nodes.delete(key)
  }
}

const isOpen = (run: Run | undefined): boolean => run !== undefined && (run.finishedAt === null || run.reason === 'Replaced')
