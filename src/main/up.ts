import { join } from 'node:path'
import { createLocalUplink } from '../../runtime/local-uplink.ts'
import { createAgent } from '../../runtime/main.ts'
import { createApi } from '../api/app.ts'
import { isLoopback } from '../api/guard.ts'
import { serveApi } from '../api/serve.ts'
import type { UpOptions } from '../cli/deps.ts'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import { sealedGate } from '../control/agents/sealed-gate.ts'
import type { Control, ControlTrust } from '../control/control.ts'
import { clusterIdentity } from '../control/leader/identity.ts'
import { systemClock } from '../lib/clock.ts'
import type { Keyring } from '../lib/seal.ts'
import { openStore } from '../store/open.ts'
import type { OpenedStore } from '../store/store.ts'
import { guardOf, openTrust } from './access.ts'
import { appName, newId, openControl } from './control-plane.ts'
import { lockDataDir } from './data-dir.ts'
import { type Closers, inForeground, type Parts, untilTold } from './foreground.ts'
import { keyringOf } from './keyring.ts'
import { onceStoreAnswers } from './store-answers.ts'
import type { Surroundings } from './surroundings.ts'
import { untilHealthy } from './until-healthy.ts'

/** Control plane and agent in one process, until the signal aborts; tasks go on running after that. */
export async function up(options: UpOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  const lock = await lockDataDir(options.dataDir)
  try {
    return await withStore(options, around, signal)
  } finally {
    await lock.release()
  }
}

async function withStore(options: UpOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  const store = await openStore(options.store, { dataDir: join(options.dataDir, 'store'), clock: systemClock })
  try {
    return await inForeground((closers, either) => openParts(options, { ...around, store, closers }, either), signal)
  } finally {
    await store.close()
  }
}

interface Open extends Surroundings {
  readonly store: OpenedStore
  readonly closers: Closers
}

async function openParts(options: UpOptions, open: Open, signal: AbortSignal): Promise<Parts> {
  const { log, version, say, closers } = open
  const keyring = await keyringOf(options.dataDir)
  const patience = { clock: systemClock, log, signal }
  const trust = isLoopback(options.host) ? null : await onceStoreAnswers(() => trustOf(options, open, keyring), patience)
  const control = await openControl(options, { ...open, keyring, advertise: null, trust, signal })
  const leading = control.run(signal)
  closers.push(() => Promise.allSettled([leading]))
  const parts = {
    control: control.plane,
    gate: sealedGate(control.gate, keyring),
    guard: guardOf(control, trust),
    leader: control.leader,
    log,
    clock: systemClock,
  }
  const serving = await serveApi({ ...parts, api: createApi(parts), host: options.host, port: options.port })
  closers.push(() => serving.close())
  say(`drover ${version} at ${serving.url}, following ${options.repo} ${options.ref}`)
  const agent = await createAgent({
    stateDir: join(options.dataDir, 'agent'),
    name: null,
    version,
    cluster: 'local',
    labels: options.labels,
    processes: options.processes,
    privateDirs: [options.dataDir],
    dockerSocket: open.dockerSocket,
    openSecret: async (value) => keyring.open(value),
    clock: systemClock,
    random: Math.random,
    log,
  })
  closers.push(() => agent.close())
  const working = agent.run(createLocalUplink(localGate(control, signal)), signal)
  closers.push(() => Promise.allSettled([working]))
  const end = options.exitWhenHealthy
    ? untilHealthy(control.plane, { app: appName(options), timeoutMs: options.timeoutMs, clock: systemClock, signal })
    : untilTold(signal)
  return { end, parts: [leading, working] }
}

/** Others than this machine can reach it, so it asks who they are. */
async function trustOf({ dataDir, host }: UpOptions, { store, log, say }: Open, keyring: Keyring): Promise<ControlTrust> {
  const { id } = await clusterIdentity(store, { id: newId(), createdAt: systemClock.now(), epochBase: 0 })
  return openTrust({ store, cluster: id, dataDir, keyring, host, advertise: null, log, say })
}

/** The agent of this process waits for its own control plane to lead, rather than knock ever more rarely. */
function localGate(control: Control, signal: AbortSignal): AgentGate {
  return {
    ...control.gate,
    accept: async (channel) => {
      await control.untilLeading(signal)
      await control.gate.accept(channel)
    },
  }
}
