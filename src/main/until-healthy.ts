import { type ControlPlane, RequestError } from '../control/requests/control-plane.ts'
import type { Clock } from '../lib/clock.ts'
import { pause } from '../lib/waits.ts'
import type { AppView } from '../model/views.ts'

const LOOK_EVERY_MS = 100

export interface UntilHealthy {
  readonly app: string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** 0 once the app is Synced and Healthy, 4 when that takes too long; 3 then if it is Degraded. 1 when it is told to end before. */
export async function untilHealthy(plane: ControlPlane, { app, timeoutMs, clock, signal }: UntilHealthy): Promise<number> {
  const deadline = clock.monotonic() + timeoutMs
  while (!signal.aborted) {
    const view = viewOf(plane, app)
    if (view?.sync === 'Synced' && view.health === 'Healthy') return 0
    if (clock.monotonic() >= deadline) return view?.health === 'Degraded' ? 3 : 4
    await pause(clock, LOOK_EVERY_MS, signal)
  }
  return 1
}

function viewOf(plane: ControlPlane, app: string): AppView | null {
  try {
    return plane.app(app)
  } catch (error) {
    if (error instanceof RequestError) return null
    throw error
  }
}
