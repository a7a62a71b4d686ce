import type { IncomingMessage } from 'node:http'
import type { Hono } from 'hono'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import type { ControlPlane } from '../control/requests/control-plane.ts'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { Caller, TrustPlane } from '../control/trust/trust-plane.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { AgentId } from '../model/ids.ts'

/** How a control plane that others reach knows whom it has before it. */
export interface Guard {
  readonly trust: TrustPlane
  readonly gateOf: (agent: AgentId) => AgentGate
}

export interface ApiParts {
  readonly control: ControlPlane
  /** For whoever reaches a control plane without a guard. */
  readonly gate: AgentGate
  readonly leader: LeaderPointer
  /** Null: whoever reaches it is trusted, so only this machine may. */
  readonly guard: Guard | null
  readonly log: Logger
  readonly clock: Clock
}

/**
 * `shutdown` comes from the server that carries the app, and open streams end with it; `incoming` is what it carries.
 * `caller` or `agent` is who was admitted, where there is a guard.
 */
export type ApiEnv = {
  Bindings: { shutdown?: AbortSignal; incoming?: IncomingMessage }
  Variables: { caller?: Caller; agent?: AgentId }
}
export type Api = Hono<ApiEnv>
