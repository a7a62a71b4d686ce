import { messageOf } from '../../lib/errors.ts'
import type { MemberStatus, StoreStatus } from '../store.ts'
import type { EtcdClient, EtcdHost } from './client.ts'

const PATIENCE_MS = 2000
const QUOTA = /^etcd_server_quota_backend_bytes (\S+)$/m

/** Asks every member by itself, and the cluster for its alarms. */
export async function etcdStatus(client: EtcdClient): Promise<StoreStatus> {
  const [members, alarms] = await Promise.all([Promise.all(client.hosts().map(memberStatus)), alarmsOf(client)])
  return { kind: 'etcd', members, alarms }
}

async function memberStatus({ host, url, status }: EtcdHost): Promise<MemberStatus> {
  try {
    const [{ version, dbSize }, quotaBytes] = await Promise.all([status(PATIENCE_MS), quotaOf(url)])
    return { host, answers: 'Yes', version, sizeBytes: Number(dbSize), quotaBytes }
  } catch (error) {
    return { host, answers: 'No', problem: messageOf(error) }
  }
}

/** No call tells it, but the page of metrics does; null where that is not to be had. */
async function quotaOf(url: string): Promise<number | null> {
  try {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    const quota = Number(QUOTA.exec(await answer.text())?.[1])
    return Number.isFinite(quota) ? quota : null
  } catch {
    return null
  }
}

async function alarmsOf(client: EtcdClient): Promise<string[]> {
  try {
    const { alarms } = await client.once(({ maintenance }, options) => maintenance.alarm({ action: 'Get' }, options))
    return [...new Set(alarms.map(({ alarm }) => String(alarm)))]
  } catch (error) {
    return [`not known: ${messageOf(error)}`]
  }
}
