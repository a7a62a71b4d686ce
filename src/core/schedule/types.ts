import type { AgentId, Millis, TaskId, WorkloadKey } from '../../model/ids.ts'
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
}

export interface PendingTask {
  readonly id: TaskId
  /** The one agent it must go to (Global mode); null: any. */
  readonly agent: AgentId | null
}

/** Tasks of one workload with identical requirements. */
export interface PendingGroup {
  /** Unique in a request; breaks ties of age. */
  readonly id: string
  readonly workload: WorkloadKey
  readonly createdAt: Millis
  readonly requirements: Requirements
  readonly tasks: readonly PendingTask[]
  /** Tasks of this workload that hold an agent already and count for maxPerNode and spread. */
  readonly existing: ReadonlyMap<AgentId, number>
}

/** A machine as the scheduler sees it when a batch begins. */
export interface AgentView {
  readonly id: AgentId
  readonly labels: Readonly<Record<string, string>>
  readonly drivers: AgentRecord['drivers']
  readonly capacity: AgentRecord['capacity']
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
}

export interface ScheduleRequest {
  readonly pending: readonly PendingGroup[]
  /** Unique by id. */
  readonly agents: readonly AgentView[]
  /** Breaks ties and offsets dynamic ports; an integer. Vary it between batches so that freed ports rest. */
  readonly seed: number
}

export interface Placement {
  readonly task: TaskId
  readonly agent: AgentId
  /** Host port by port name, fixed ones included. */
  readonly ports: Readonly<Record<string, number>>
}

export interface Unplaced {
  readonly task: TaskId
  /** Counts sum to the number of agents, or to 1 for a task bound to one agent. */
  readonly reasons: readonly Reason[]
}

export interface ScheduleResult {
  /** In the order of the decisions. */
  readonly placed: readonly Placement[]
  readonly unplaced: readonly Unplaced[]
}
