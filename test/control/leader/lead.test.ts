import { afterEach, describe, expect, it } from 'vitest'
import { clusterIdentity, raiseEpochs } from '../../../src/control/leader/identity.ts'
import { campaignAndLead, type LeadingTerm } from '../../../src/control/leader/lead.ts'
import type { TurnContext } from '../../../src/control/leader/term.ts'
import { inTurn } from '../../../src/control/source/source.ts'
import { channelPair } from '../../../src/lib/channel-pair.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { Epoch } from '../../../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../../src/model/protocol.ts'
import { LEADER_KEY } from '../../../src/store/keys.ts'
import { createMemoryCluster } from '../../../src/store/memory.ts'
import type { Store } from '../../../src/store/store.ts'
import { agentRecord, NOW } from '../../support/make.ts'
import { waitUntil } from '../../support/wait-until.ts'

const CLUSTER = 'cluster-1'
const over: AbortController[] = []
afterEach(() => {
  for (const controller of over.splice(0)) controller.abort()
})

/** A leader of an empty store, with every term it had. */
async function leader() {
  const store = createMemoryCluster({ clock: systemClock }).connect()
  await clusterIdentity(store, { id: CLUSTER, createdAt: NOW, epochBase: 0 })
  const terms: LeadingTerm[] = []
  const stop = new AbortController()
  over.push(stop)
  const ended = campaignAndLead(
    { store, clock: systemClock, log: silentLog, newId: () => 'id', cluster: CLUSTER, advertise: 'https://here' },
    { signal: stop.signal, started: (term) => terms.push(term), ended: () => undefined },
  )
  ended.catch(() => undefined)
  await waitUntil(() => terms.length === 1)
  const [term] = terms
  if (term === undefined) throw new Error('no term')
  return { store, terms, term, ended }
}

function event({ draft }: TurnContext): void {
  draft.event({ object: 'app/shop', app: 'shop', reason: 'Test', message: 'written', level: 'Normal', actor: 'test' }, NOW)
}

function refuse(): never {
  throw new Error('cannot be done')
}

describe('a request that fails', () => {
  it('fails alone when it changed nothing', async () => {
    const { store, terms, term } = await leader()
    const refused = inTurn(term, refuse)
    const beside = inTurn(term, event)
    await expect(refused).rejects.toThrow('cannot be done')
    await beside
    expect((await store.list('events/')).items).toHaveLength(1)
    expect(terms).toHaveLength(1)
  })

  it('is not committed by halves', async () => {
    const { store, terms, term } = await leader()
    const halfDone = (turn: TurnContext): void => {
      event(turn)
      refuse()
    }
    await expect(inTurn(term, halfDone)).rejects.toThrow('the turn failed: cannot be done')
    expect((await store.list('events/')).items).toEqual([])
    await waitUntil(() => terms.length === 2)
  })
})

it('goes on leading when an agent obeys a later epoch, as after the store was restored from a backup', async () => {
  const { terms, term } = await leader()
  const { a: agent, b: server } = channelPair<AgentFrame, ServerFrame>()
  void term.term.hub.serve(server, null)
  const { joinedAt: _, ...record } = agentRecord()
  agent.send({ type: 'hello', agent: record, epoch: Epoch.parse(term.term.epoch + 1), tasks: [] })
  const { value: first } = await agent.frames()[Symbol.asyncIterator]().next()
  expect(first).toMatchObject({ type: 'refused', reason: expect.stringContaining('obeys epoch') })
  await inTurn(term, event)
  expect(terms).toHaveLength(1)
})

/** Someone deletes the leader's key; whoever led campaigns again. */
const depose = (store: Store) => store.txn({ if: [], then: [{ op: 'delete', key: LEADER_KEY }], fence: null })

describe('the store of a leader', () => {
  it('says where the leader is', async () => {
    const { store } = await leader()
    expect((await store.get(LEADER_KEY))?.value).toBe('https://here')
  })

  it.each([
    ['holds no cluster', { op: 'delete', key: 'cluster' }],
    ['is of cluster other', { op: 'put', key: 'cluster', value: JSON.stringify({ id: 'other', createdAt: NOW, epochBase: 0 }) }],
  ] as const)('L7: is not led again once it %s', async (now, change) => {
    const { store, terms, term, ended } = await leader()
    await store.txn({ if: [], then: [change], fence: null })
    await depose(store)
    await expect(inTurn(term, event)).rejects.toThrow()
    await expect(ended).rejects.toThrow(now)
    expect(terms).toHaveLength(1)
  })

  it('gives higher epochs when they are raised, so that agents obey after it went back', async () => {
    const { store, terms, term } = await leader()
    await raiseEpochs(store, 1_000_000)
    await depose(store)
    await expect(inTurn(term, event)).rejects.toThrow()
    await waitUntil(() => terms.length === 2)
    expect(terms[1]?.term.epoch).toBeGreaterThan(term.term.epoch + 1_000_000)
  })
})
