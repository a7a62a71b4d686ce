import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { identityOf } from '../../src/control/leader/identity.ts'
import { AgentFrame, ServerFrame } from '../../src/model/protocol.ts'
import { TABLES } from '../../src/model/records.ts'
import { decodeItem, encodeWrite } from '../../src/store/codec.ts'

/** As the version before wrote them; it is never made anew, so that what is renamed or made stricter shows. */
const BEFORE = JSON.parse(readFileSync(new URL('records-of-0.1.json', import.meta.url), 'utf8')) as Record<string, Record<string, object>>
const records = Object.entries(BEFORE).flatMap(([table, all]) =>
  table === 'cluster' ? [] : Object.entries(all).map(([key, value]) => ({ key, value })),
)

/** Every object of it, however deep, has a field that nobody knows. */
function withMore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMore)
  if (value === null || typeof value !== 'object') return value
  return { ...Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withMore(inner)])), fromTheFuture: { a: 1 } }
}

const written = (key: string, value: unknown): unknown => {
  const record = decodeItem({ key, value: JSON.stringify(value) })
  if (record === null) throw new Error(`${key} is no record`)
  const op = encodeWrite(record)
  return op.op === 'put' ? JSON.parse(op.value) : null
}

describe('records of the version before', () => {
  it('L6: are of every table that it had', () => {
    const tables = 'agents apps events observed quarantine revisions rollouts runs schedules tasks workloads'.split(' ')
    expect(Object.keys(BEFORE)).toEqual(expect.arrayContaining(tables))
    expect(Object.keys(TABLES)).toEqual(expect.arrayContaining(tables))
  })

  it.each(records)('L6: $key is read, and written again with all that it said', ({ key, value }) => {
    expect(written(key, value)).toMatchObject(value)
  })

  it('L6: the cluster is who it was, and its epochs begin where they were', () => {
    const value = JSON.stringify(BEFORE.cluster?.cluster)
    const item = { key: 'cluster', value, revision: '2', createRevision: '2' }
    expect(identityOf(item)).toEqual({ id: 'c', createdAt: 1, epochBase: 0, incarnation: 0, restoredAt: null })
  })
})

describe('records of a version to come', () => {
  // Where keys are names that people chose, what is beside them is no unknown field.
  const open = new Set(['labels', 'ports', 'drivers', 'images', 'indexFailures', 'passed'])
  const closed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(closed)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, open.has(key) ? inner : closed(inner)]))
  }
  const more = ({ key, value }: (typeof records)[number]) => {
    const told = withMore(closed(value)) as Record<string, unknown>
    return { key, value: { ...told, ...Object.fromEntries(Object.entries(value).filter(([name]) => open.has(name))) } }
  }

  it.each(records)('L6: $key with fields that are not known yet is read', (record) => {
    expect(written(record.key, more(record).value)).toMatchObject(record.value)
  })
})

describe('frames of the version before', () => {
  const agent = Object.values(BEFORE.agents ?? {})[0]
  const { joinedAt: _, maintenance: __, ...said } = agent as Record<string, unknown>
  const [observed] = Object.entries(BEFORE.observed ?? {})
  const { agent: _agent, readySince: _ready, updatedAt: _updated, ...told } = (observed?.[1] ?? {}) as Record<string, unknown>
  const status = { ...told, task: observed?.[0].slice('observed/'.length) }
  const fromAgent = [
    { type: 'hello', agent: said, epoch: 7, tasks: [status] },
    { type: 'report', seq: 1, statuses: [status] },
    { type: 'heartbeat' },
  ]
  const fromServer = [
    { type: 'assignments', epoch: 7, full: true, tasks: [], gone: [] },
    { type: 'ack', seq: 1 },
    { type: 'logs', ticket: 't', task: 'web-0-a', options: { unit: null, attempt: null, tail: null, follow: false } },
    { type: 'refused', reason: 'no' },
  ]

  it.each(fromAgent)('L6: $type of an agent is understood, also with a field more', (frame) => {
    expect(AgentFrame.parse(frame)).toMatchObject(frame)
    expect(AgentFrame.parse({ ...frame, fromTheFuture: 1 })).toMatchObject(frame)
  })

  it.each(fromServer)('L6: $type of a server is understood, also with a field more', (frame) => {
    expect(ServerFrame.parse(frame)).toMatchObject(frame)
    expect(ServerFrame.parse({ ...frame, fromTheFuture: 1 })).toMatchObject(frame)
  })
})
