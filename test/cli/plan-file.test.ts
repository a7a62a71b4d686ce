import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RequestError } from '../../src/control/requests/control-plane.ts'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { shop } from '../support/fake-shop.ts'
import { REVISION_2 } from '../support/fake-views.ts'

let cwd = ''
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'drover-plan-'))
})
afterEach(() => rm(cwd, { recursive: true }))

const kept = async (): Promise<Record<string, unknown>> => JSON.parse(await readFile(join(cwd, 'p.json'), 'utf8'))

describe('a plan that is kept', () => {
  it('says what it is of, and is for its owner alone', async () => {
    const { exit, stderr } = await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', 'p.json')
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: 'the plan is in p.json\nnext: drover sync shop --plan p.json\n' })
    expect(await kept()).toEqual({
      format: 'drover-plan/1',
      cluster: 'shop-cluster',
      app: 'shop',
      revision: REVISION_2,
      fingerprint: 'f00d',
      text: shop().plan?.text,
      createdAt: '2026-11-20T12:00:00.000Z',
    })
    expect((await stat(join(cwd, 'p.json'))).mode & 0o777).toBe(0o600)
  })

  it('takes the place of an older one, and leaves no draft behind', async () => {
    await writeFile(join(cwd, 'p.json'), 'old')
    await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', 'p.json')
    await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', '.')
    expect(await readdir(cwd)).toEqual(['p.json'])
    expect((await kept()).format).toBe('drover-plan/1')
  })

  it('keeps the exit codes of plan, and is not written where it cannot be or has problems', async () => {
    expect((await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', 'p.json', '--detailed-exitcode')).exit).toBe(2)
    expect(await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', 'no/p.json')).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining('no/p.json cannot be written: ENOENT'),
    })
    const { plan, ...rest } = shop()
    if (plan === null || plan === undefined) throw new Error('the shop has a plan')
    const problems = [{ file: 'a.yaml', line: 1, column: 1, message: 'no', hint: null }]
    const broken = cliOver(fakeControl({ ...rest, plan: { ...plan, problems } }), { cwd })
    expect((await broken.run('plan', '--out', 'q.json')).exit).toBe(2)
    expect(await readdir(cwd)).toEqual(['p.json'])
  })

  it.each(['--local', 'web.yaml', '--repo .', '--ref next', '--path .'])('is not one of %s', async (words) => {
    const done = await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', 'p.json', ...words.split(' '))
    expect(done).toMatchObject({ exit: 2, stderr: expect.stringContaining('--out keeps a plan of what git says to the server') })
    const detailed = await cliOver(fakeControl(shop()), { cwd }).run('plan', '--out', 'p.json', '--detailed-exitcode', ...words.split(' '))
    expect(detailed.exit, '2 would say that there are changes').toBe(1)
  })
})

describe('a sync by a plan', () => {
  const planned = async () => {
    const control = fakeControl(shop())
    const cli = cliOver(control, { cwd })
    await cli.run('plan', '--out', 'p.json')
    control.asked.length = 0
    return { control, cli }
  }

  it('prints what it applies, and asks for exactly that', async () => {
    const { control, cli } = await planned()
    const { exit, stderr } = await cli.run('sync', 'shop', '--plan', 'p.json')
    expect(exit).toBe(0)
    expect(stderr).toMatch(/^applying the plan of 0s ago, at main@2222222:\n-\/\+ deployment\/web\n/)
    expect(stderr).toMatch(/\nnext: drover wait shop --revision 222222222222\n$/)
    expect(control.asked.map(({ request }) => request)).toEqual([
      { allowDelete: 'WithinBudget', plan: { revision: REVISION_2, fingerprint: 'f00d' }, retry: 'No', actor: 'cli:ann' },
    ])
  })

  it('ends with 5 when the world has moved on, and says how to go on', async () => {
    const { control, cli } = await planned()
    control.onSync = () => {
      throw new RequestError('Conflict', 'main is at main@3333333 by now')
    }
    const { exit, stderr } = await cli.run('sync', 'shop', '--plan', 'p.json')
    expect(exit).toBe(5)
    expect(stderr).toContain('error: main is at main@3333333 by now\nhint: `drover plan --out FILE` makes a new plan')
  })

  const others: [string, Record<string, unknown>, string][] = [
    ['another app', { app: 'stock' }, 'p.json is a plan for app "stock", not for "shop"'],
    ['another cluster', { cluster: 'prod' }, 'p.json is a plan for cluster prod, and http://127.0.0.1:7420 is shop-cluster'],
    ['another format', { format: 'drover-plan/2' }, 'p.json is a plan of format drover-plan/2, and this drover reads drover-plan/1'],
    ['no fingerprint', { fingerprint: '' }, 'p.json is a broken plan: '],
    ['no time', { createdAt: 'soon' }, 'p.json is a broken plan: '],
    ['no format', { format: undefined }, 'p.json is no plan'],
  ]
  it.each(others)('refuses a plan of %s', async (_, over, message) => {
    const { control, cli } = await planned()
    await writeFile(join(cwd, 'p.json'), JSON.stringify({ ...(await kept()), ...over }))
    expect(await cli.run('sync', 'shop', '--plan', 'p.json')).toMatchObject({ exit: 2, stderr: expect.stringContaining(message) })
    expect(control.asked).toEqual([])
  })

  it('shows hostile text of the file as escapes', async () => {
    const { cli } = await planned()
    await writeFile(join(cwd, 'p.json'), JSON.stringify({ ...(await kept()), text: '\u001b[2Jgone\n' }))
    expect((await cli.run('sync', 'shop', '--plan', 'p.json')).stderr).toContain('\\e[2Jgone')
  })
})

describe('sync --retry', () => {
  it('asks to try again what is held', async () => {
    const control = fakeControl(shop())
    await cliOver(control).run('sync', 'shop', '--retry')
    expect(control.asked[0]?.request).toMatchObject({ plan: null, retry: 'Quarantined' })
  })
})

describe('promote and abort', () => {
  it.each(['promote', 'abort'])('%s names the workload as the server knows it', async (verb) => {
    const control = fakeControl(shop())
    expect((await cliOver(control).run(verb, 'deploy/count', '-n', 'back')).exit).toBe(0)
    const workload = { namespace: 'back', kind: 'Deployment', name: 'count' }
    expect(control.asked).toEqual([{ verb, app: 'stock', request: { workload, actor: 'cli:ann' } }])
  })

  it('end with 5 where there is nothing to do', async () => {
    const control = fakeControl(shop())
    control.promote = async () => {
      throw new RequestError('Conflict', 'deployment/web has no rollout that waits')
    }
    expect(await cliOver(control).run('promote', 'deployment/web')).toMatchObject({
      exit: 5,
      stderr: 'error: deployment/web has no rollout that waits\n',
    })
  })
})
