import type { ContainerInspectInfo } from 'dockerode'
import type { OwnHealth } from '../../driver.ts'
import { isRunning } from './exit.ts'

const SAID: Readonly<Record<string, OwnHealth>> = { starting: 'starting', healthy: 'healthy', unhealthy: 'unhealthy' }

/** What the HEALTHCHECK of a container's image says; a container that is gone, ended or paused has nobody who could say. */
export function ownHealth(info: ContainerInspectInfo | null): OwnHealth {
  if (info === null || !isRunning(info) || info.State.Paused) return 'starting'
  return SAID[info.State.Health?.Status ?? ''] ?? 'none'
}
