import type { AttemptRef } from '../../runtime/driver.ts'
import type { FakeRecord } from '../../runtime/drivers/fake/machine.ts'
import type { AgentId, Digest, Millis, Oid } from '../../src/model/ids.ts'
import type { Leadership, Txn, TxnResult } from '../../src/store/store.ts'
import type { AgentNode } from './agent-node.ts'
import type { SimGit } from './git-repo.ts'
import type { Incarnation } from './incarnation.ts'
import type { Ledger } from './ledger.ts'
import type { Change, Mirror } from './mirror.ts'
import type { Delivery } from './network.ts'
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
  readonly ledger: Ledger
  /** By digest: what the author wrote, for every template that was applied. */
  readonly templates: Map<Digest, string>
  readonly now: () => Millis
}

/** Looks at the whole history, event by event, and reports what must never be. */
export interface Checker {
  committed?(commit: Commit): void
  leads?(by: Incarnation, leadership: Leadership): void
  /** What a process is told of its transaction. */
  told?(by: Incarnation, txn: Txn, result: TxnResult): void
  /** What git answered to a process that asked for the head. */
  resolved?(by: Incarnation, oid: Oid): void
  started?(agent: AgentNode, record: FakeRecord): void
  stopped?(agent: AgentNode, record: FakeRecord): void
  removed?(agent: AgentNode, ref: AttemptRef): void
  delivered?(delivery: Delivery): void
}

export type MakeChecker = (context: CheckContext) => Checker
