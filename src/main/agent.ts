import { hostname } from 'node:os'
import { join } from 'node:path'
import { enrol } from '../../runtime/enrol.ts'
import { type Identity, readIdentity } from '../../runtime/identity.ts'
import { agentNameOf } from '../../runtime/machine.ts'
import { createAgent } from '../../runtime/main.ts'
import { createLiveIdentity, JOIN_AGAIN, type LiveIdentity } from '../../runtime/renewal.ts'
import { createWsUplink } from '../../runtime/ws-uplink.ts'
import type { AgentOptions } from '../cli/deps.ts'
import { CliError, EXIT } from '../cli/exit.ts'
import { systemClock } from '../lib/clock.ts'
import { TerminalError } from '../lib/errors.ts'
import { createKeyring } from '../lib/seal.ts'
import type { AgentId } from '../model/ids.ts'
import type { SealedValue } from '../model/secret.ts'
import { lockDataDir } from './data-dir.ts'
import { type Closers, inForeground, type Parts, untilTold } from './foreground.ts'
import type { Surroundings } from './surroundings.ts'

/** The folder of an agent's identity in its data directory. */
export const identityDirOf = (dataDir: string): string => join(dataDir, 'identity')

/** The agent of this machine, at control planes elsewhere, until the signal aborts; tasks go on running after that. */
export async function agent(options: AgentOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  const lock = await lockDataDir(options.dataDir)
  try {
    const identity = isOpen(options.servers) ? null : await identityOf(options, around, signal)
    return await inForeground((closers, either) => openParts(options, { ...around, closers, identity }, either), signal)
  } finally {
    await lock.release()
  }
}

/** Plain HTTP is for control planes that only this machine reaches; they know no certificates. */
const isOpen = (servers: readonly string[]): boolean => servers.every((server) => new URL(server).protocol === 'http:')

/** The identity of before, or a new one for the token. One that has expired is replaced when there is a token, and else complained of. */
async function identityOf(
  { dataDir, servers, token, name }: AgentOptions,
  { log, say }: Surroundings,
  signal: AbortSignal,
): Promise<Identity> {
  const dir = identityDirOf(dataDir)
  const kept = await readIdentity(dir)
  const isGood = kept !== null && kept.validUntil > systemClock.now()
  if (kept !== null && (isGood || token === null)) return ofSameName(kept, name)
  if (token === null) throw new CliError(EXIT.usage, `this machine has not joined a cluster: ${dir} holds no certificate`, JOIN_AGAIN)
  const joining = { servers, token, agent: nameOf(name), dir, clock: systemClock, random: Math.random, log }
  const identity = await enrol(joining, signal)
  say(`joined cluster ${identity.cluster} as agent ${identity.agent}; the token is not needed any more`)
  return identity
}

const nameOf = (name: string | null): AgentId => (name === null ? agentNameOf(hostname()) : (name as AgentId))

function ofSameName(identity: Identity, name: string | null): Identity {
  if (name === null || name === identity.agent) return identity
  throw new CliError(
    EXIT.usage,
    `this data directory belongs to agent ${identity.agent}, not ${name}`,
    'give another --data-dir, or leave --name out',
  )
}

interface Open extends Surroundings {
  readonly closers: Closers
  readonly identity: Identity | null
}

async function openParts(options: AgentOptions, open: Open, signal: AbortSignal): Promise<Parts> {
  const { log, version, say, closers, identity } = open
  const { servers, dataDir } = options
  const live =
    identity === null
      ? null
      : createLiveIdentity(identity, { servers, dir: identityDirOf(dataDir), clock: systemClock, random: Math.random, log })
  const machine = await createAgent({
    stateDir: join(dataDir, 'agent'),
    name: identity?.agent ?? (options.name as AgentId | null),
    version,
    cluster: identity?.cluster ?? 'local',
    labels: options.labels,
    processes: options.processes,
    privateDirs: [dataDir],
    dockerSocket: options.docker ?? open.dockerSocket,
    openSecret: async (value) => openSecret(value, live),
    clock: systemClock,
    random: Math.random,
    log,
  })
  closers.push(() => machine.close())
  const uplink = createWsUplink({ servers, clock: systemClock, tls: () => live?.tls() ?? null })
  const working = machine.run(uplink, signal)
  closers.push(() => Promise.allSettled([working]))
  const renewing = live === null ? [] : [live.run(signal)]
  say(`drover ${version}, agent ${machine.id} of ${servers.join(', ')}`)
  return { end: untilTold(signal), parts: [working, ...renewing] }
}

function openSecret(value: SealedValue, live: LiveIdentity | null): string {
  if (live === null) throw new TerminalError('SecretUnreadable', 'this agent joined without a token, so it has no key that opens secrets')
  return createKeyring(live.sealKey()).open(value)
}
