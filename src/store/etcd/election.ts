import type { IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3'
import { messageOf, TerminalError } from '../../lib/errors.ts'
import { firstOf, pause } from '../../lib/waits.ts'
import type { Millis } from '../../model/ids.ts'
import { LeaseLostError, lead } from '../leadership.ts'
import { CompactedError, type Leadership } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { isLeaseGone } from './errors.ts'
import { getKeyValue } from './range.ts'
import { createdAt, sendTxn } from './txn.ts'
import { type WatchContext, watchSafely } from './watch.ts'

const REVOKE_DEADLINE_MS: Millis = 1000
const RETRY_PAUSE_MS: Millis = 500

export interface ElectionContext extends WatchContext {
  readonly ttlMs: Millis
}

interface Candidate {
  readonly name: string
  readonly value: string
  readonly signal: AbortSignal
}

interface Lease {
  readonly id: string
  /** Monotonic time before it was asked for. */
  readonly grantedAt: Millis
}

/** See `Store.campaign`: create-if-absent under a lease, else wait for the key to go. @throws TerminalError `StoreReplaced` */
export async function campaignFor(context: ElectionContext, candidate: Candidate): Promise<Leadership> {
  const { signal, name } = candidate
  for (;;) {
    signal.throwIfAborted()
    try {
      const leadership = await tryToLead(context, candidate)
      if (leadership !== null) return leadership
      await vacancy(context, candidate)
    } catch (error) {
      if (error instanceof TerminalError) throw error
      context.log.warn({ key: name, error: messageOf(error) }, 'campaign failed; trying again')
      await pause(context.clock, RETRY_PAUSE_MS, signal)
    }
  }
}

async function tryToLead(context: ElectionContext, { name, value, signal }: Candidate): Promise<Leadership | null> {
  const fullKey = context.root + name
  if ((await getKeyValue(context.client, fullKey)).kv !== null || signal.aborted) return null
  const lease = await grant(context)
  try {
    const epoch = await createKey(context.client, { fullKey, value, lease })
    if (epoch !== null && !signal.aborted) return startLeading(context, { name, epoch, lease })
  } catch (error) {
    await revoke(context.client, lease.id)
    throw error
  }
  await revoke(context.client, lease.id)
  return null
}

async function grant({ client, clock, ttlMs }: ElectionContext): Promise<Lease> {
  const grantedAt = clock.monotonic()
  const response = await client.once(({ lease }, options) => lease.leaseGrant({ TTL: Math.ceil(ttlMs / 1000) }, options))
  return { id: response.ID, grantedAt }
}

/** The epoch, or null when another was first. A lost reply is settled by reading whose lease holds the key. */
async function createKey(
  client: EtcdClient,
  { fullKey, value, lease }: { fullKey: string; value: string; lease: Lease },
): Promise<number | null> {
  const put = { request_put: { key: Buffer.from(fullKey), value: Buffer.from(value), lease: lease.id } }
  const sent = await sendTxn(client, { compare: [createdAt(fullKey, '0')], success: [put] })
  if (sent.status === 'Answered') return sent.response.succeeded ? Number(sent.response.header.revision) : null
  const { kv } = await getKeyValue(client, fullKey)
  return kv?.lease === lease.id ? Number(kv.create_revision) : null
}

function startLeading(context: ElectionContext, { name, epoch, lease }: { name: string; epoch: number; lease: Lease }): Leadership {
  const { client, clock, log, ttlMs, root } = context
  const renew = async (timeoutMs: Millis) => {
    await Promise.all([keepAlive(client, lease.id, timeoutMs), checkKey(client, { fullKey: root + name, epoch, timeoutMs })])
  }
  const release = () => revoke(client, lease.id)
  return lead({ fence: { key: name, epoch }, clock, log, ttlMs, grantedAt: lease.grantedAt, renew, release })
}

async function keepAlive(client: EtcdClient, leaseId: string, timeoutMs: Millis): Promise<void> {
  const response = await client.once(async ({ lease }, options) => {
    const stream = await lease.leaseKeepAlive(options)
    try {
      return await firstAnswer(stream, leaseId)
    } finally {
      stream.end()
    }
  }, timeoutMs)
  if (response.TTL === '0') throw new LeaseLostError('lease ran out')
}

function firstAnswer(
  stream: IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>,
  leaseId: string,
): Promise<ILeaseKeepAliveResponse> {
  return new Promise((resolve, reject) => {
    stream.on('data', resolve)
    stream.on('error', reject)
    stream.on('end', () => reject(new Error('etcd ended the keep-alive')))
    stream.write({ ID: leaseId })
  })
}

/** A lease may live on after someone deleted the key under it; then another can lead. */
async function checkKey(client: EtcdClient, { fullKey, epoch, timeoutMs }: { fullKey: string; epoch: number; timeoutMs: Millis }) {
  const request = { key: Buffer.from(fullKey) }
  const { kvs } = await client.onceWitnessed(({ kv }, options) => kv.range(request, options), timeoutMs)
  if (kvs[0]?.create_revision !== String(epoch)) throw new LeaseLostError('the key of the lead is gone')
}

/** Already gone is success. */
async function revoke(client: EtcdClient, leaseId: string): Promise<void> {
  try {
    await client.once(({ lease }, options) => lease.leaseRevoke({ ID: leaseId }, options), REVOKE_DEADLINE_MS)
  } catch (error) {
    if (!isLeaseGone(error)) throw error
  }
}

/** Until the key is seen to go; looks again after a TTL in any case, should the watch be deaf. */
async function vacancy(context: ElectionContext, { name, signal }: Candidate): Promise<void> {
  const { kv, revision } = await getKeyValue(context.client, context.root + name)
  if (kv === null) return
  const from = String(BigInt(revision) + 1n)
  await firstOf(signal, [
    (either) => deletion(context, { name, from, signal: either }),
    (either) => pause(context.clock, context.ttlMs, either),
  ])
}

async function deletion(context: ElectionContext, { name, from, signal }: { name: string; from: string; signal: AbortSignal }) {
  try {
    for await (const events of watchSafely(context, { prefix: name, from, signal })) {
      if (events.some(({ type, key }) => type === 'delete' && key === name)) return
    }
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error
  }
}
