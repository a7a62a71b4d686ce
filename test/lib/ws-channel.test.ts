import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { wsChannel } from '../../src/lib/ws-channel.ts'
import { describeChannel, TestFrame } from '../runtime/channel-suite.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { waitUntil } from '../support/wait-until.ts'

const parse = (value: unknown): TestFrame => TestFrame.parse(value)
const limits = { perMessageDeflate: false, maxPayload: 1024 * 1024 }

async function openSockets() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...limits })
  await once(server, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, limits)
  const [[accepted]] = await Promise.all([once(server, 'connection') as Promise<[WebSocket]>, once(client, 'open')])
  const end = async (): Promise<void> => {
    client.terminate()
    accepted.terminate()
    await new Promise((resolve) => server.close(resolve))
  }
  return { client, accepted, end }
}

async function open(clock: Clock = systemClock) {
  const { client, accepted, end } = await openSockets()
  return {
    a: wsChannel<TestFrame, TestFrame>(client, { clock, parse }),
    b: wsChannel<TestFrame, TestFrame>(accepted, { clock, parse }),
    end,
  }
}

describeChannel({ name: 'over a socket', open: () => open() })

it('ends when the other side is there but answers no ping three times', async () => {
  const clock = createFakeClock()
  const { client, accepted, end } = await openSockets()
  const channel = wsChannel<TestFrame, TestFrame>(client, { clock, parse })
  accepted.pause()
  const over = { reason: '' }
  const watch = channel.closed.then((reason) => {
    over.reason = reason
  })
  await clock.advance(19_000)
  expect(over.reason).toBe('')
  await clock.advance(1_000)
  await watch
  expect(over.reason).toMatch(/closed/)
  await end()
})

it('stays as long as pings are answered', async () => {
  const clock = createFakeClock()
  const { client, end } = await openSockets()
  const channel = wsChannel<TestFrame, TestFrame>(client, { clock, parse })
  const over = { reason: '' }
  const watch = channel.closed.then((reason) => {
    over.reason = reason
  })
  let pongs = 0
  client.on('pong', () => {
    pongs += 1
  })
  for (let round = 1; round <= 10; round += 1) {
    await clock.advance(5_000)
    await waitUntil(() => pongs === round)
  }
  expect(over.reason).toBe('')
  channel.close('done')
  await watch
  await end()
})

it('ends with a reason when the line is cut, and frees its timer', async () => {
  const clock = createFakeClock()
  const { client, accepted, end } = await openSockets()
  const channel = wsChannel<TestFrame, TestFrame>(client, { clock, parse })
  accepted.terminate()
  expect(await channel.closed).toBe('connection closed with code 1006')
  await clock.settle()
  expect(clock.sleeping).toBe(0)
  await end()
})

it('cuts a reason that is too long for a close frame, at a whole character', async () => {
  const { a, b, end } = await open()
  a.close('ä'.repeat(100))
  expect(await b.closed).toBe('ä'.repeat(61))
  await end()
})
