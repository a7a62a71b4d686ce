import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { ServerGuard } from '../api/serve.ts'
import { sealedGate } from '../control/agents/sealed-gate.ts'
import type { Control, ControlTrust } from '../control/control.ts'
import { ServerTrust } from '../control/trust/server-trust.ts'
import { systemClock } from '../lib/clock.ts'
import { writeDurably } from '../lib/durable-file.ts'
import type { Logger } from '../lib/log.ts'
import type { Keyring } from '../lib/seal.ts'
import type { Store } from '../store/store.ts'
import { clusterKeyIn } from './keyring.ts'

const ADMIN_FILE = 'admin.token'

export interface TrustOptions {
  readonly store: Store
  readonly cluster: string
  readonly dataDir: string
  readonly keyring: Keyring
  /** Where it listens; a wildcard stands for every address of this machine. */
  readonly host: string
  /** How others reach it; null: as it listens. */
  readonly advertise: string | null
  readonly log: Logger
  /** For people. */
  readonly say: (line: string) => void
}

/** What a control plane needs that others than this machine can reach. @throws TerminalError when the keyring is not the cluster's */
export async function openTrust({ store, cluster, dataDir, keyring, host, advertise, log, say }: TrustOptions): Promise<ControlTrust> {
  const server = await ServerTrust.open({ store, cluster, keyring, clock: systemClock, log, hosts: hostsOf(host, advertise) })
  return {
    server,
    keyring,
    clusterKey: await clusterKeyIn(dataDir),
    keepAdminToken: async (text) => {
      const path = join(dataDir, ADMIN_FILE)
      await writeDurably(path, `${text}\n`)
      say(`a token for an admin is in ${path}: drover login URL --token-file ${path}`)
    },
  }
}

/** What the server's routes judge callers by; null where it judges nobody. Secrets are sealed for the agent that gets them. */
export function guardOf(control: Control, trust: ControlTrust | null): ServerGuard | null {
  if (control.trust === null || trust === null) return null
  return { trust: control.trust, gateOf: (agent) => sealedGate(control.gateOf(agent), trust.keyring), server: trust.server }
}

/** Addresses that stand for every one of the machine. */
export const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]'])
const LOOPBACK = ['localhost', '127.0.0.1', '::1']

/** Every name under which a client may have been told of this server. */
function hostsOf(host: string, advertise: string | null): string[] {
  const own = WILDCARDS.has(host) ? addresses() : [host]
  const told = advertise === null ? [] : [new URL(advertise).hostname]
  return [...new Set([...LOOPBACK, hostname(), ...own, ...told].map((name) => name.replace(/^\[|\]$/g, '')))]
}

/** Link-local ones are of no use without the name of an interface. */
const addresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^fe80:/i.test(address))
