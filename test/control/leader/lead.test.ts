import { afterEach, describe, expect, it } from 'vitest'
import { campaignAndLead, type LeadingTerm } from '../../../src/control/leader/lead.ts'
import type { TurnContext } from '../../../src/control/leader/term.ts'
import { inTurn } from '../../../src/control/source/source.ts'
import { channelPair } from '../../../src/lib/channel-pair.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { Epoch } from '../../../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../../src/model/protocol.ts'
import { createMemoryCluster } from '../../../src/store/memory.ts'
import { agentRecord, NOW } from '../../support/make.ts'
import { waitUntil } from '../../support/wait-until.ts'

const over: AbortController[] = []
afterEach(() => {
  for (const controller of over.splice(0)) controller.abort()
})

/** A leader of an empty store, with every term it had. */
async function leader() {
  const store = createMemoryCluster({ clock: systemClock }).connect()
  const terms: LeadingTerm[] = []
  const stop = new AbortController()
  over.push(stop)
  void campaignAndLead(
    { store, clock: systemClock, log: silentLog, newId: () => 'id' },
    { signal: stop.signal, started: (term) => terms.push(term), ended: () => undefined },
  )
  await waitUntil(() => terms.length === 1)
  const [term] = terms
  if (term === undefined) throw new Error('no term')
  return { store, terms, term }
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
  void term.term.hub.serve(server)
  const { joinedAt: _, ...record } = agentRecord()
  agent.send({ type: 'hello', agent: record, epoch: Epoch.parse(term.term.epoch + 1), tasks: [] })
  const { value: first } = await agent.frames()[Symbol.asyncIterator]().next()
  expect(first).toMatchObject({ type: 'refused', reason: expect.stringContaining('obeys epoch') })
  await inTurn(term, event)
  expect(terms).toHaveLength(1)
})
