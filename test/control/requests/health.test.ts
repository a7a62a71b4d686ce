import { describe, expect, it } from 'vitest'
import { healthOf } from '../../../src/control/requests/health.ts'
import type { AgentStanding } from '../../../src/core/task-state.ts'
import type { MemberStatus, StoreStatus } from '../../../src/store/store.ts'
import { AGENT, agentRecord, NOW } from '../../support/make.ts'

const MIB = 2 ** 20
const member = (over: Partial<Extract<MemberStatus, { answers: 'Yes' }>> = {}): MemberStatus => ({
  host: 'a:2379',
  answers: 'Yes',
  version: '3.5.0',
  sizeBytes: 100 * MIB,
  quotaBytes: 2048 * MIB,
  ...over,
})
const etcd = (members: MemberStatus[], alarms: string[] = []): StoreStatus => ({ kind: 'etcd', members, alarms })

interface Over {
  readonly version?: string
  readonly off?: number | null
  readonly standing?: AgentStanding
  readonly readOnly?: { since: number; reason: string } | null
  readonly store?: StoreStatus
}

function amiss({ version = '1', off = 0, standing = 'Ready', readOnly = null, store = etcd([member()]) }: Over): string[] {
  const agents = new Map([[AGENT, agentRecord({ version })]])
  const hub = { standing: () => standing, clockOff: () => off }
  const { findings } = healthOf({ now: () => NOW, readOnly, cluster: { agents }, hub }, store, '1')
  for (const { verdict, fix } of findings) expect(fix === null).toBe(verdict === 'ok')
  return findings.filter(({ verdict }) => verdict !== 'ok').map(({ check, verdict, detail }) => `${verdict} ${check}: ${detail}`)
}

describe('what the control plane finds amiss', () => {
  it('is nothing where all is as it should be', () => {
    expect(amiss({})).toEqual([])
    expect(amiss({ store: { kind: 'embedded', members: [], alarms: [] }, off: null })).toEqual([])
  })

  it.each<[string, Over, string]>([
    ['an agent of another version', { version: '0' }, 'warn agent node-1: it is of version 0, the server of 1'],
    ['a clock ahead', { off: 61_000 }, "warn agent node-1: its clock is 61.0 s ahead of the server's"],
    ['a clock behind', { off: -5_500 }, "warn agent node-1: its clock is 5.5 s behind the server's"],
    ['a silent agent', { standing: 'Unreachable' }, 'warn agent node-1: it is unreachable'],
    [
      'a full store',
      { readOnly: { since: NOW, reason: 'no space' } },
      `fail store: read-only since ${new Date(NOW).toISOString()}: no space`,
    ],
    ['an alarm', { store: etcd([member()], ['NOSPACE']) }, 'fail etcd alarm: NOSPACE'],
    [
      'a member that is away',
      { store: etcd([{ host: 'b:2379', answers: 'No', problem: 'refused' }]) },
      'fail etcd: b:2379 does not answer: refused',
    ],
    [
      'a store that fills',
      { store: etcd([member({ sizeBytes: 1700 * MIB })]) },
      'warn etcd: a:2379 3.5.0, 1700 MiB of a quota of 2048 MiB',
    ],
    [
      'a quota that nobody tells',
      { store: etcd([member({ sizeBytes: 1700 * MIB, quotaBytes: null })]) },
      'warn etcd: a:2379 3.5.0, 1700 MiB of a quota of 2048 MiB by default',
    ],
    ['two members', { store: etcd([member(), member({ host: 'b:2379' })]) }, 'warn etcd members: 2 addresses are given'],
  ])('is %s', (_, over, said) => {
    expect(amiss(over)).toEqual([said])
  })
})
