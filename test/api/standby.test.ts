import { afterEach, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createApi } from '../../src/api/app.ts'
import { type Serving, serveApi } from '../../src/api/serve.ts'
import { RequestError } from '../../src/control/requests/control-plane.ts'
import type { LeaderPointer } from '../../src/control/requests/leader-pointer.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { fakeControl } from '../support/fake-control.ts'
import { fakeGate } from '../support/fake-gate.ts'
import { LEADS, standsBy } from '../support/fake-leader.ts'

const servings: Serving[] = []
afterEach(async () => {
  await Promise.all(servings.splice(0).map((serving) => serving.close()))
})

async function serve(leader: LeaderPointer): Promise<string> {
  const parts = { control: fakeControl(), gate: fakeGate(), leader, guard: null, log: silentLog, clock: systemClock }
  const serving = await serveApi({ ...parts, api: createApi(parts), host: '127.0.0.1', port: 0 })
  servings.push(serving)
  return serving.url
}

const answerOf = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, { redirect: 'manual', ...init })
  return { status: answer.status, location: answer.headers.get('location'), text: await answer.text() }
}

it.each(['/api/v1/apps?x=1&y=%2F', '/agent/v1/trees/abc', '/version', '//evil.example/api/v1/apps'])(
  'a standby sends %s to the same path at the leader',
  async (path) => {
    const url = await serve(standsBy('https://10.0.0.2:7420/'))
    expect(await answerOf(`${url}${path}`)).toMatchObject({ status: 307, location: `https://10.0.0.2:7420${path}` })
  },
)

it('a verb keeps its method and body on the way to the leader', async () => {
  const standby = await serve(standsBy(await serve(LEADS)))
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"nonsense":1}' }
  const answer = await fetch(`${standby}/api/v1/apps/shop/sync`, init)
  expect({ status: answer.status, redirected: answer.redirected }).toEqual({ status: 400, redirected: true })
  expect(await answer.text()).toContain('nonsense')
})

it('an agent that dials a standby ends at the leader', async () => {
  const leader = await serve(LEADS)
  const standby = await serve(standsBy(leader))
  const socket = new WebSocket(`${standby.replace('http', 'ws')}/agent/v1/connect`, { followRedirects: true })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  expect(socket.url).toBe(`${leader.replace('http', 'ws')}/agent/v1/connect`)
  socket.close()
})

it('while nobody leads it says so, and that it passes', async () => {
  const url = await serve(standsBy(null))
  const answer = await fetch(`${url}/api/v1/apps`)
  expect({ status: answer.status, retry: answer.headers.get('retry-after') }).toEqual({ status: 503, retry: '1' })
  expect(await answer.json()).toMatchObject({ code: 'Unavailable', detail: expect.stringContaining('within seconds') })
})

it('a store that does not answer is said to be the cause', async () => {
  const away: LeaderPointer = {
    leads: () => false,
    url: async () => {
      throw new RequestError('Unavailable', 'its store does not say who does')
    },
  }
  expect(await answerOf(`${await serve(away)}/api/v1/apps`)).toMatchObject({ status: 503, text: expect.stringContaining('its store') })
})

it('probes are answered by each server itself: live always, ready when requests can be sent on', async () => {
  const standby = await serve(standsBy('https://10.0.0.2:7420'))
  expect(await answerOf(`${standby}/livez`)).toMatchObject({ status: 200 })
  expect(await answerOf(`${standby}/readyz`)).toMatchObject({ status: 200 })
})
