import { expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.ts'
import { APP, World, web } from './world.ts'

const request = { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ann' } as const
const on = (agent: string) => ({ template: `placement: {nodeSelector: {for: ${agent}}}` })

it('removes what depends on others first, and the others only when it is gone', async ({ onTestFinished }) => {
  const world = new World()
  onTestFinished(() => world.close())
  const dependsOn = 'dependsOn: [{kind: Deployment, name: db, condition: Available}]'
  world.commit({ 'db.yaml': web('db', on('db')), 'api.yaml': web('api', { ...on('api'), more: dependsOn }) })
  await world.server()
  await world.agent({ id: 'node-1', labels: { for: 'db' } })
  const second = await world.agent({ id: 'node-2', labels: { for: 'api' } })
  await world.synced()
  const desired = (name: string) => world.plane.tasks().find(({ workload }) => workload === name)?.desired
  // Its machine is off, so nobody can say that it has ended.
  await second.stop()
  world.commit({ 'db.yaml': null, 'api.yaml': null, 'keep.yaml': web('keep') })
  await waitUntil(() => desired('api') === 'stop')
  for (let looks = 0; looks < 3; looks += 1) await world.plane.sync(APP, request)
  expect(desired('db')).toBe('run')
  expect(world.workload('db')?.reasons).toEqual(
    expect.arrayContaining([expect.objectContaining({ message: expect.stringContaining('api') })]),
  )
  await world.agent(second)
  await waitUntil(() => world.workload('api') === undefined && world.workload('db') === undefined)
})
