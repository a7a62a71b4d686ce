import { availableParallelism } from 'node:os'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/lib/log.ts'
import { createSemaphore } from '../../../src/lib/semaphore.ts'
import type { AttemptRef, Driver } from '../../driver.ts'
import { createSerial } from '../../serial.ts'
import { createAddresses } from './addresses.ts'
import { createAttempts } from './attempts.ts'
import { onlyUnit } from './container-config.ts'
import { createContainers } from './containers.ts'
import { createEnding } from './ending.ts'
import { createEngine, DEADLINES, type Deadlines } from './engine.ts'
import { createHealth } from './engine-health.ts'
import type { UnendedProbes } from './exec-probe.ts'
import { createImages } from './images.ts'
import { launch, recoverAttempt, removeAttempt } from './launch.ts'
import { containerLogs } from './logs.ts'
import { containerName } from './names.ts'
import { createNetwork } from './network.ts'
import { ownHealth } from './own-health.ts'
import { createPeaks } from './peaks.ts'
import { probeContainer } from './probes.ts'
import { programFailure } from './program-check.ts'
import { createStopping } from './stopping.ts'
import { createUsages } from './usage.ts'
import { createWatcher } from './watcher.ts'

export interface DockerDriverOptions {
  readonly socketPath: string
  readonly cluster: string
  readonly agent: string
  /** A folder of its own, on the machine that the daemon runs on: volumes and marks of attempts. */
  readonly stateDir: string
  readonly clock: Clock
  readonly log: Logger
  /** Cores of this machine: two starts each run at once, for more would only queue inside dockerd. */
  readonly cores?: number
  readonly deadlines?: Partial<Deadlines>
}

/** Runs attempts as Docker containers, one each, on a network of Drover's own. Starts nothing until it is asked. */
export function createDockerDriver(options: DockerDriverOptions): Driver {
  const { clock, log } = options
  const identity = { cluster: options.cluster, agent: options.agent }
  const engine = createEngine(options.socketPath, { ...DEADLINES, ...options.deadlines })
  const containers = createContainers({ engine, identity, clock })
  const watcher = createWatcher({ engine, identity, clock, log, onStray: (id) => void ending.endRevived(id) })
  const peaks = createPeaks(clock)
  const stopping = createStopping({ engine, containers, log })
  const ending = createEnding({ engine, containers, watcher, peaks, stopping, clock, log })
  const network = createNetwork(engine)
  const images = createImages(engine, log)
  const usages = createUsages(containers)
  const addresses = createAddresses(containers)
  const unended: UnendedProbes = new Map()
  const attempts = createAttempts(options.stateDir)
  const tools = {
    identity,
    containers,
    attempts,
    network,
    programFailure: (id: string) => programFailure({ engine, containers, clock }, id),
  }
  const oneByOne = createSerial()
  const closed = new AbortController()
  const starts = createSemaphore(2 * (options.cores ?? availableParallelism()))
  const exclusively = <T>(ref: AttemptRef, work: () => Promise<T>): Promise<T> => oneByOne(containerName(identity, ref), work)

  return {
    fingerprint: createHealth({ engine, clock, wasUsed: async () => (await attempts.list()).length > 0 }),
    async prepare(spec, signal) {
      const unit = onlyUnit(spec)
      const image = await images.ensure(unit, signal)
      if (!spec.hostNetwork) await network.ensure()
      return { [unit.name]: image }
    },
    start: (ref, spec, prepared) => exclusively(ref, () => starts.run(() => launch(tools, { ref, spec, prepared }), closed.signal)),
    recover: (ref) => exclusively(ref, () => recoverAttempt(tools, ref)),
    wait: (handle, signal) => ending.wait(handle.ref, AbortSignal.any([signal, closed.signal])),
    health: async (handle) => ownHealth(await containers.inspect(handle.ref)),
    probe: (handle, request, signal) => probeContainer({ engine, clock, log, addresses, unended }, handle.ref, request, signal),
    stop: (handle, graceMs) => stopping.stop(handle.ref, graceMs),
    remove: (ref) => exclusively(ref, () => removeAttempt({ ...tools, noted: [stopping, peaks, usages, addresses] }, ref)),
    logs: (handle, query, signal) => containerLogs(engine, handle.ref, { ...query, signal: AbortSignal.any([signal, closed.signal]) }),
    stats: (handle) => usages.read(handle.ref),
    async owned() {
      const there = await containers.owned()
      if (there.length > 0) watcher.guard()
      const all = [...there, ...(await attempts.list())]
      return [...new Map(all.map((ref) => [containerName(identity, ref), ref])).values()]
    },
    async close() {
      closed.abort()
      watcher.close()
      engine.close()
      await attempts.close()
    },
  }
}
