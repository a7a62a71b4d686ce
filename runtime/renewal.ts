import type { Clock } from '../src/lib/clock.ts'
import { messageOf } from '../src/lib/errors.ts'
import type { Logger } from '../src/lib/log.ts'
import { pause } from '../src/lib/waits.ts'
import type { Millis } from '../src/model/ids.ts'
import { IssuedCertificate } from '../src/model/trust-wire.ts'
import { requestFor } from '../src/trust/csr.ts'
import { bundleOf, rootsIn } from '../src/trust/roots.ts'
import { ask, askText } from './enrol.ts'
import { createFetch, type TlsIdentity } from './https.ts'
import { type Identity, keepIdentity } from './identity.ts'
import { createServerRing } from './server-ring.ts'

/** A certificate is renewed when two thirds of its life have passed: the last third is for trying again. */
const RENEW_AT = 2 / 3
/** Of its life: machines that joined together do not come together for ever. */
const SPREAD = 0.05
/** Roots are looked at so often, and a failed renewal is tried again so often. */
const LOOK_EVERY: Millis = 3_600_000
const RETRY_EVERY: Millis = 60_000

/** Who an agent is, as it changes with each renewal. */
export interface LiveIdentity {
  tls(): TlsIdentity
  sealKey(): Buffer
  /** Renews the certificate and takes over new roots, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

export interface RenewalDeps {
  readonly servers: readonly string[]
  /** Where the identity is kept. */
  readonly dir: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

export function createLiveIdentity(first: Identity, deps: RenewalDeps): LiveIdentity {
  let identity = first
  return {
    tls: () => identity.tls,
    sealKey: () => identity.sealKey,
    async run(signal) {
      const renewal = createRenewal(deps)
      while (!signal.aborted) {
        const wait = await renewal.step(identity, signal)
        identity = wait.identity
        await pause(deps.clock, wait.ms, signal)
      }
    },
  }
}

interface Step {
  readonly identity: Identity
  /** Until the next. */
  readonly ms: Millis
}

function createRenewal({ servers, dir, clock, random, log }: RenewalDeps) {
  const ring = createServerRing(servers)
  const spread = random() * SPREAD

  /** New roots mean that the old one goes, and with it the certificates it signed. */
  const isDue = async (identity: Identity, signal: AbortSignal): Promise<boolean> => {
    const life = identity.validUntil - identity.validFrom
    if (clock.now() >= identity.validFrom + life * (RENEW_AT + spread)) return true
    const fetch = createFetch(() => identity.tls)
    const served = await ring.reach((server) => askText(server, { path: '/trust/v1/roots', fetch, init: {} }, signal), signal)
    return bundleOf(rootsIn(served)) !== bundleOf(rootsIn(identity.tls.ca))
  }

  const renew = async (identity: Identity, signal: AbortSignal): Promise<Identity> => {
    const body = JSON.stringify({ csr: await requestFor(identity.tls.key) })
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const fetch = createFetch(() => identity.tls)
    const issued = await ring.reach((server) => ask(server, { path: '/agent/v1/certificate', fetch, init }, signal), signal)
    const renewed = await keepIdentity(dir, identity.tls.key, IssuedCertificate.parse(issued))
    log.info({ agent: renewed.agent, until: new Date(renewed.validUntil).toISOString() }, 'certificate renewed')
    return renewed
  }

  return {
    async step(identity: Identity, signal: AbortSignal): Promise<Step> {
      try {
        const current = (await isDue(identity, signal)) ? await renew(identity, signal) : identity
        return { identity: current, ms: LOOK_EVERY }
      } catch (error) {
        if (!signal.aborted) complain(identity, error, { clock, log })
        return { identity, ms: RETRY_EVERY }
      }
    },
  }
}

function complain({ agent, validUntil }: Identity, error: unknown, { clock, log }: Pick<RenewalDeps, 'clock' | 'log'>): void {
  const fields = { agent, until: new Date(validUntil).toISOString(), error: messageOf(error) }
  if (clock.now() < validUntil) log.warn(fields, 'certificate not renewed; trying again')
  else log.error({ ...fields, mend: JOIN_AGAIN }, 'the certificate has expired, so no control plane takes this agent back')
}

/** What to do about an agent that its cluster no longer knows; its tasks run on meanwhile. */
export const JOIN_AGAIN = 'make a token with `drover token create --agent`, and start this agent once with --token-file FILE'
