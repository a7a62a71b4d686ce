import type { Hono } from 'hono'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import type { ControlPlane } from '../control/requests/control-plane.ts'
import type { LeaderPointer } from '../control/requests/leader-pointer.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'

export interface ApiParts {
  readonly control: ControlPlane
  readonly gate: AgentGate
  readonly leader: LeaderPointer
  readonly log: Logger
  readonly clock: Clock
}

/** `shutdown` comes from the server that carries the app; open streams end with it. */
export type ApiEnv = { Bindings: { shutdown?: AbortSignal } }
export type Api = Hono<ApiEnv>
