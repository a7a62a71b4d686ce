import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createApi } from '../../src/api/app.ts'
import { RequestError } from '../../src/control/requests/control-plane.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import {
  AgentView,
  AppView,
  EventView,
  HealthView,
  HistoryView,
  RolloutView,
  RunView,
  TaskView,
  VersionView,
  WhyView,
  WorkloadView,
} from '../../src/model/views.ts'
import { type FakeControl, type FakeData, fakeControl } from '../support/fake-control.ts'
import { fakeGate } from '../support/fake-gate.ts'
import { LEADS } from '../support/fake-leader.ts'
import { agentView, appView, historyView, rolloutView, runView, taskView } from '../support/fake-views.ts'

const data = (): Partial<FakeData> => ({
  apps: [appView()],
  tasks: [taskView(), taskView({ id: 'migrate-0', run: 'migrate-1' })],
  runs: [runView()],
  rollouts: [rolloutView()],
  agents: [agentView()],
  history: [historyView()],
  events: [
    {
      id: '1',
      at: '2026-11-20T11:00:00.000Z',
      object: 'app/shop',
      app: 'shop',
      reason: 'Synced',
      message: 'm',
      level: 'Normal',
      actor: 'git',
    },
    {
      id: '2',
      at: '2026-11-20T11:00:01.000Z',
      object: 'agent/node-1',
      app: null,
      reason: 'Joined',
      message: 'm',
      level: 'Normal',
      actor: 'a',
    },
  ],
  why: { object: 'deployment/web', health: 'Healthy', summary: 'all well', lines: [], nextWake: null },
  plan: {
    app: 'shop',
    from: null,
    to: 'x',
    changes: [],
    counts: { add: 0, change: 0, replace: 0, destroy: 0 },
    problems: [],
    holds: [],
    order: [],
    fingerprint: 'f',
    text: 'No changes.',
  },
})

const apiOver = (control: FakeControl = fakeControl(data())) =>
  createApi({ control, gate: fakeGate(), leader: LEADS, guard: null, log: silentLog, clock: systemClock })

const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const itemsOf = (schema: z.ZodType) => z.strictObject({ items: z.array(schema).min(1) })

describe('reads', () => {
  const routes: [string, z.ZodType][] = [
    ['/api/v1/apps', itemsOf(AppView)],
    ['/api/v1/apps/shop', AppView],
    ['/api/v1/apps/shop/history', itemsOf(HistoryView)],
    ['/api/v1/workloads', itemsOf(WorkloadView)],
    ['/api/v1/tasks', itemsOf(TaskView)],
    ['/api/v1/tasks?run=migrate-1', itemsOf(TaskView)],
    ['/api/v1/tasks/web-0-abc12', TaskView],
    ['/api/v1/runs', itemsOf(RunView)],
    ['/api/v1/runs/migrate-1', RunView],
    ['/api/v1/agents', itemsOf(AgentView)],
    ['/api/v1/rollouts', itemsOf(RolloutView)],
    ['/api/v1/events', itemsOf(EventView)],
    ['/api/v1/why?object=deployment/web', WhyView],
    ['/api/v1/version', VersionView],
    ['/api/v1/health', HealthView],
    ['/version', VersionView],
  ]
  it.each(routes)('%s answers with its view', async (path, schema) => {
    const answer = await apiOver().request(path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toContain('application/json')
    const body: unknown = await answer.json()
    expect(schema.parse(body)).toEqual(body)
  })

  it('narrows events by object and by app', async () => {
    const ids = async (query: string) =>
      itemsOf(EventView)
        .parse(await (await apiOver().request(`/api/v1/events?${query}`)).json())
        .items.map((event) => EventView.parse(event).id)
    expect(await ids('object=agent/node-1')).toEqual(['2'])
    expect(await ids('app=shop')).toEqual(['1'])
  })

  it('is live and ready while there is a leader, and not ready without', async () => {
    const control = fakeControl()
    expect((await apiOver(control).request('/readyz')).status).toBe(200)
    control.ready = () => {
      throw new RequestError('Unavailable', 'no leader')
    }
    expect((await apiOver(control).request('/readyz')).status).toBe(503)
    expect((await apiOver(control).request('/livez')).status).toBe(200)
  })
})

describe('verbs', () => {
  it('pass on what was asked, with defaults', async () => {
    const control = fakeControl(data())
    const api = apiOver(control)
    const web = { namespace: 'default', kind: 'Deployment', name: 'web' }
    expect((await api.request('/api/v1/apps/shop/sync', post(''))).status).toBe(200)
    expect((await api.request('/api/v1/apps/shop/sync', post({ allowDelete: 'Any', actor: 'cli:ann' }))).status).toBe(200)
    const plan = { revision: 'main@sha1:2', fingerprint: 'f00d' }
    expect((await api.request('/api/v1/apps/shop/sync', post({ plan, retry: 'Quarantined' }))).status).toBe(200)
    expect((await api.request('/api/v1/workloads/default/Deployment/web/promote', post({ actor: 'cli:ann' }))).status).toBe(200)
    expect((await api.request('/api/v1/workloads/default/Deployment/web/abort', post(''))).status).toBe(200)
    expect((await api.request('/api/v1/workloads/default/Deployment/web/run', post({ actor: 'cli:ann' }))).status).toBe(409)
    expect((await api.request('/api/v1/runs/migrate-1/rerun', post({ actor: 'cli:ann' }))).status).toBe(409)
    expect((await api.request('/api/v1/apps/shop/plan', post({ ref: 'next' }))).status).toBe(200)
    expect((await api.request('/api/v1/apps/shop/rollback', post({ to: '1', revert: 'CommitToGit' }))).status).toBe(200)
    expect((await api.request('/api/v1/apps/shop/render', post({ files: [{ path: 'a.yaml', text: 'x' }] }))).status).toBe(200)
    expect(control.asked).toEqual([
      { verb: 'sync', app: 'shop', request: { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'api' } },
      { verb: 'sync', app: 'shop', request: { allowDelete: 'Any', plan: null, retry: 'No', actor: 'cli:ann' } },
      { verb: 'sync', app: 'shop', request: { allowDelete: 'WithinBudget', plan, retry: 'Quarantined', actor: 'api' } },
      { verb: 'promote', app: 'shop', request: { workload: web, actor: 'cli:ann' } },
      { verb: 'abort', app: 'shop', request: { workload: web, actor: 'api' } },
      { verb: 'run', app: 'shop', request: { workload: web, actor: 'cli:ann' } },
      { verb: 'rerun', app: 'shop', request: { run: 'migrate-1', actor: 'cli:ann' } },
      { verb: 'plan', app: 'shop', request: { ref: 'next', files: null } },
      { verb: 'rollback', app: 'shop', request: { to: '1', revert: 'CommitToGit', actor: 'api' } },
      { verb: 'render', app: 'shop', request: { ref: null, files: [{ path: 'a.yaml', text: 'x' }] } },
    ])
  })
})

describe('refusals', () => {
  const big = JSON.stringify({ to: 'x'.repeat(1_100_000) })
  const json = { 'content-type': 'application/json' }
  const refused: [string, string, RequestInit, number, string][] = [
    ['an unknown path', '/api/v1/nothing', {}, 404, 'NotFound'],
    ['an unknown app', '/api/v1/apps/none', {}, 404, 'NotFound'],
    ['an unknown task', '/api/v1/tasks/none', {}, 404, 'NotFound'],
    ['an unknown run', '/api/v1/runs/none', {}, 404, 'NotFound'],
    ['an unknown query', '/api/v1/tasks?colour=red', {}, 400, 'Invalid'],
    ['logs since a word', '/api/v1/tasks/web-0/logs?since=yesterday', {}, 400, 'Invalid'],
    ['logs that go on and end', '/api/v1/tasks/web-0/logs?follow=true&until=2026-11-20T12:00:00Z', {}, 400, 'Invalid'],
    ['a why of nothing', '/api/v1/why', {}, 400, 'Invalid'],
    ['an unknown field', '/api/v1/apps/shop/sync', post({ force: true }), 400, 'Invalid'],
    ['a plan without its fingerprint', '/api/v1/apps/shop/sync', post({ plan: { revision: 'x' } }), 400, 'Invalid'],
    ['a retry of something else', '/api/v1/apps/shop/sync', post({ retry: true }), 400, 'Invalid'],
    ['a promotion of nothing', '/api/v1/workloads/default/Deployment/none/promote', post({}), 404, 'NotFound'],
    ['a promotion of another kind', '/api/v1/workloads/default/Pod/web/promote', post({}), 400, 'Invalid'],
    ['an abort with an unknown field', '/api/v1/workloads/default/Deployment/web/abort', post({ to: '1' }), 400, 'Invalid'],
    ['an abort by a foreign origin', '/api/v1/workloads/default/Deployment/web/abort', post({}, { origin: 'null' }), 403, 'Forbidden'],
    ['a run of nothing', '/api/v1/workloads/default/CronJob/none/run', post({}), 404, 'NotFound'],
    ['a run again of nothing', '/api/v1/runs/none/rerun', post({}), 404, 'NotFound'],
    ['a run again with an unknown field', '/api/v1/runs/migrate-1/rerun', post({ force: true }), 400, 'Invalid'],
    ['a promotion that is no POST', '/api/v1/workloads/default/Deployment/web/promote', {}, 404, 'NotFound'],
    ['an actor with an escape', '/api/v1/apps/shop/sync', post({ actor: 'a\u001b[31m' }), 400, 'Invalid'],
    ['a body that is not JSON', '/api/v1/apps/shop/sync', post('{'), 400, 'Invalid'],
    [
      'a form',
      '/api/v1/apps/shop/sync',
      { method: 'POST', body: 'to=1', headers: { 'content-type': 'text/plain' } },
      415,
      'UnsupportedMediaType',
    ],
    ['no content type', '/api/v1/apps/shop/sync', { method: 'POST' }, 415, 'UnsupportedMediaType'],
    ['a big body', '/api/v1/apps/shop/rollback', post(big), 413, 'TooLarge'],
    ['a big body by its header', '/api/v1/apps/shop/rollback', post('{}', { 'content-length': '2000000' }), 413, 'TooLarge'],
    ['a name bound to this machine by DNS', '/api/v1/apps', { headers: { host: 'evil.example' } }, 403, 'Forbidden'],
    ['a foreign host with a port', '/api/v1/apps', { headers: { host: 'evil.example:7420' } }, 403, 'Forbidden'],
    ['a foreign origin', '/api/v1/apps/shop/sync', post({}, { origin: 'http://evil.example' }), 403, 'Forbidden'],
    ['an opaque origin', '/api/v1/apps/shop/sync', post({}, { origin: 'null' }), 403, 'Forbidden'],
    [
      'another port of this machine',
      '/api/v1/apps/shop/sync',
      post({}, { host: 'localhost:7420', origin: 'http://localhost:8080' }),
      403,
      'Forbidden',
    ],
    ['a repository that is away', '/api/v1/apps/shop/plan', { method: 'POST', headers: json, body: '{}' }, 503, 'Unavailable'],
    ['an oid that is none', '/agent/v1/trees/..%2f', {}, 400, 'Invalid'],
    ['an unknown tree', `/agent/v1/trees/${'0'.repeat(40)}`, {}, 404, 'NotFound'],
  ]
  it.each(refused)('%s', async (_, path, init, status, code) => {
    const control = fakeControl({ ...data(), plan: null })
    const answer = await apiOver(control).request(path, init)
    const body: unknown = await answer.json()
    expect(body).toMatchObject({ status, code, type: `urn:drover:problem:${code}`, title: expect.any(String), detail: expect.any(String) })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(control.asked.filter((ask) => ask.verb !== 'plan')).toEqual([])
  })

  it('takes every name of this machine, and its own origin', async () => {
    for (const host of ['localhost', 'localhost:7420', '127.0.0.1:7420', '[::1]:7420']) {
      expect((await apiOver().request('/api/v1/apps', { headers: { host } })).status).toBe(200)
    }
    const own = { host: '127.0.0.1:7420', origin: 'http://127.0.0.1:7420' }
    expect((await apiOver().request('/api/v1/apps/shop/sync', post({}, own))).status).toBe(200)
  })

  it('tells nothing of the inside when something unforeseen breaks', async () => {
    const control = fakeControl(data())
    control.tasks = () => {
      throw new Error('secret /var/lib/path')
    }
    const answer = await apiOver(control).request('/api/v1/tasks')
    const text = await answer.text()
    expect(answer.status).toBe(500)
    expect(text).not.toMatch(/secret|path|\.ts|stack/)
  })

  it('lets a plan carry more than other bodies', async () => {
    const files = [{ path: 'a.yaml', text: 'x'.repeat(2_000_000) }]
    expect((await apiOver().request('/api/v1/apps/shop/plan', post({ files }))).status).toBe(200)
  })
})
