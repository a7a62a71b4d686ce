import type { AttemptRef } from '../../runtime/driver.ts'
import type { FakeRecord } from '../../runtime/drivers/fake/machine.ts'
import type { AgentId, Millis } from '../../src/model/ids.ts'
import type { Leadership, Txn } from '../../src/store/store.ts'
import type { AgentNode } from './agent-node.ts'
import type { SimGit } from './git-repo.ts'
import type { Incarnation } from './incarnation.ts'
import type { Change, Mirror } from './mirror.ts'
import type { Direction } from './network.ts'
import type { Findings } from './violation.ts'

/** One committed transaction, with the mirror as it is after it. */
export interface Commit {
  readonly by: Incarnation
  readonly txn: Txn
  /** The writer's wall clock when it decided. */
  readonly decidedAt: Millis
  readonly changes: readonly Change[]
  readonly mirror: Mirror
}

export interface CheckContext {
  readonly findings: Findings
  readonly git: SimGit
  readonly agents: ReadonlyMap<AgentId, AgentNode>
  readonly mirror: Mirror
  readonly now: () => Millis
}

/** Looks at the whole history, event by event, and reports what must never be. */
export interface Checker {
  committed?(commit: Commit): void
  leads?(by: Incarnation, leadership: Leadership): void
  started?(agent: AgentNode, record: FakeRecord): void
  stopped?(agent: AgentNode, record: FakeRecord): void
  removed?(agent: AgentNode, ref: AttemptRef): void
  delivered?(direction: Direction, frame: unknown, agent: string): void
}

export type MakeChecker = (context: CheckContext) => Checker
