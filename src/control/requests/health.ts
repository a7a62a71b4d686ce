import type { AgentRecord } from '../../model/records.ts'
import type { FindingView, HealthView } from '../../model/views.ts'
import type { MemberStatus, StoreStatus } from '../../store/store.ts'
import type { Term } from '../leader/term.ts'
import { iso } from './times.ts'

type Known = Pick<Term, 'now' | 'readOnly'> & {
  readonly cluster: Pick<Term['cluster'], 'agents'>
  readonly hub: Pick<Term['hub'], 'standing' | 'clockOff'>
}

/** What only the control plane can know of the classic misconfigurations, worst first within each check. */
export function healthOf(term: Known, store: StoreStatus, version: string): HealthView {
  const agents = [...term.cluster.agents.values()]
  const findings = [writable(term), ...storeFindings(store), ...agents.flatMap((agent) => agentFindings(agent, term, version))]
  return { now: iso(term.now()), findings }
}

const ok = (check: string, detail: string): FindingView => ({ check, verdict: 'ok', detail, fix: null })
const warn = (check: string, detail: string, fix: string): FindingView => ({ check, verdict: 'warn', detail, fix })
const fail = (check: string, detail: string, fix: string): FindingView => ({ check, verdict: 'fail', detail, fix })

function writable({ readOnly }: Known): FindingView {
  if (readOnly === null) return ok('store', 'takes writes')
  return fail(
    'store',
    `read-only since ${iso(readOnly.since)}: ${readOnly.reason}`,
    'make space; Drover goes on by itself, and tasks run meanwhile',
  )
}

function storeFindings({ kind, members, alarms }: StoreStatus): FindingView[] {
  if (kind !== 'etcd') return [ok('store kind', kind)]
  return [...alarms.map(alarm), ...members.map(member), ...memberCount(members)]
}

const alarm = (name: string): FindingView =>
  fail('etcd alarm', name, 'NOSPACE: compact, `etcdctl defrag`, then `etcdctl alarm disarm`; CORRUPT: replace the member')

/** etcd's own when none is given; `--quota-backend-bytes`. */
const DEFAULT_QUOTA = 2 * 2 ** 30
/** Of the quota; beyond this etcd is near the point where it takes no more writes. */
const FULL = 0.8
const MEBIBYTE = 2 ** 20

function member(status: MemberStatus): FindingView {
  if (status.answers === 'No') return fail('etcd', `${status.host} does not answer: ${status.problem}`, 'start that member, or replace it')
  const quota = status.quotaBytes ?? DEFAULT_QUOTA
  const said = status.quotaBytes === null ? `${mebibytes(quota)} by default` : mebibytes(quota)
  const detail = `${status.host} ${status.version}, ${mebibytes(status.sizeBytes)} of a quota of ${said}`
  if (status.sizeBytes < FULL * quota) return ok('etcd', detail)
  return warn('etcd', detail, '`etcdctl defrag` it, or raise --quota-backend-bytes')
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / MEBIBYTE)} MiB`

function memberCount({ length }: readonly MemberStatus[]): FindingView[] {
  if (length % 2 === 1) return []
  return [
    warn('etcd members', `${length} addresses are given`, 'run 3 or 5 members: an even number survives no more losses than one fewer'),
  ]
}

/** What is signed, logged and scheduled by time goes wrong beyond this; milliseconds. */
const CLOCK_MAY_DIFFER = 5_000

function agentFindings(agent: AgentRecord, { hub }: Known, version: string): FindingView[] {
  const check = `agent ${agent.id}`
  const found: FindingView[] = []
  const standing = hub.standing(agent.id)
  const off = hub.clockOff(agent.id)
  if (standing !== 'Ready') found.push(warn(check, `it is ${standing.toLowerCase()}`, 'see whether the machine and its agent run'))
  if (off !== null && Math.abs(off) > CLOCK_MAY_DIFFER) {
    const detail = `its clock is ${(Math.abs(off) / 1000).toFixed(1)} s ${off > 0 ? 'ahead of' : 'behind'} the server's`
    found.push(warn(check, detail, 'keep the clocks of all machines in step, by chrony or systemd-timesyncd'))
  }
  if (agent.version !== version)
    found.push(
      warn(check, `it is of version ${agent.version}, the server of ${version}`, 'upgrade it: tasks run on while an agent restarts'),
    )
  return found.length > 0 ? found : [ok(check, `version ${agent.version}`)]
}
