import type { AgentId, Millis, TaskId, WorkloadKey } from '../../model/ids.ts'
import type { Isolation } from '../../model/process.ts'
import type { Reason } from '../../model/reason.ts'
import type { AgentRecord } from '../../model/records.ts'
import type { DriverName } from '../../model/task-spec.ts'
import type { Constraint, Placement as PlacementRules } from '../../model/template.ts'

/** What one task asks of a machine. Equal requirements make one class, filtered and scored together. */
export interface Requirements {
  /** Thousandths of a core, over all units; 0 when nothing is asked. */
  readonly cpuMillis: number
  readonly memoryBytes: number
  readonly fixedPorts: readonly { readonly name: string; readonly port: number; readonly protocol: 'TCP' | 'UDP' }[]
  readonly dynamicPorts: readonly { readonly name: string; readonly protocol: 'TCP' | 'UDP' }[]
  readonly nodeSelector: Readonly<Record<string, string>>
  readonly constraints: readonly Constraint[]
  readonly spread: PlacementRules['spread']
  /** Null: no limit. */
  readonly maxPerNode: number | null
  readonly driver: DriverName
  /** Of a process; null: it does not say. */
  readonly isolation: Isolation | null
}

/** Tasks of one version of a workload. */
export interface PendingGroup {
  /** Unique in a request; breaks ties of age. */
  readonly id: string
  readonly workload: WorkloadKey
  /** 0 to 100; all of a higher one are placed before any of a lower one. */
  readonly priority: number
  readonly createdAt: Millis
  readonly requirements: Requirements
  /** Tasks that may go to any agent, in the order in which they are to go. They are alike, so it is read only as far as there is room. */
  readonly tasks: ReadonlySet<TaskId>
  /** Tasks that have one agent each to go to (Global mode). */
  readonly bound: ReadonlyMap<TaskId, AgentId>
  /** `Ignored`: bound tasks go to a machine that is out of service, too, for they belong to it as long as it runs. */
  readonly cordons?: 'Ignored'
  /** Tasks of this version that hold an agent already and count for maxPerNode and spread; other versions are on their way out. */
  readonly existing: ReadonlyMap<AgentId, number>
}

/** A machine as the scheduler sees it when a batch begins. */
export interface AgentView {
  readonly id: AgentId
  readonly labels: Readonly<Record<string, string>>
  readonly drivers: AgentRecord['drivers']
  readonly capacity: AgentRecord['capacity']
  readonly pressure: AgentRecord['pressure']
  /** What the tasks given to it ask for, whether they run yet or not. */
  readonly used: {
    readonly cpuMillis: number
    readonly memoryBytes: number
    readonly ports: ReadonlySet<number>
    /** How many tasks; an agent with none is opened only when no other has room. */
    readonly tasks: number
  }
  /** Connected and not cordoned. */
  readonly schedulable: boolean
  /** It is not schedulable, and for no other reason than that an operator took it out of service. */
  readonly cordoned?: boolean
}

/** Where a queue of equals stands between two batches; see `turns.ts`. */
export interface QueueTags {
  /** Virtual time: the start tag of the turn that was taken last. */
  readonly now: number
  /** Finish tags by member, as far as they are ahead of that time. */
  readonly finish: ReadonlyMap<string, number>
}

/** By queue: one for the namespaces of a priority, and one for the workloads of each of them. */
export type Tags = ReadonlyMap<string, QueueTags>

export interface ScheduleRequest {
  readonly pending: readonly PendingGroup[]
  /** Unique by id. */
  readonly agents: readonly AgentView[]
  /** Breaks ties and offsets dynamic ports; an integer. Vary it between batches so that freed ports rest. */
  readonly seed: number
  /** What the batch before returned; empty for the first. */
  readonly tags: Tags
}

export interface Placement {
  readonly task: TaskId
  readonly agent: AgentId
  /** Host port by port name, fixed ones included. */
  readonly ports: Readonly<Record<string, number>>
}

/** Tasks of a group that found no agent. */
export interface Unplaced {
  readonly group: string
  /** The one agent that a bound task may go to; null: any. */
  readonly agent: AgentId | null
  /** How many; 1 for each bound task. */
  readonly count: number
  /** Counts sum to the number of agents, or to 1 for a task bound to one agent. */
  readonly reasons: readonly Reason[]
}

export interface ScheduleResult {
  /** In the order of the decisions. */
  readonly placed: readonly Placement[]
  readonly unplaced: readonly Unplaced[]
  readonly tags: Tags
}
