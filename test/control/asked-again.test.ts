import { expect, it } from 'vitest'
import { waitUntil } from '../support/wait-until.ts'
import { APP, job, policy, World, web } from './world.ts'

const request = { allowDelete: 'WithinBudget', plan: null, retry: 'No', actor: 'ann' } as const

it('answers each of several who ask for a sync at once by itself', async ({ onTestFinished }) => {
  const world = await World.with({ 'app.yaml': policy({ mode: 'Manual' }), 'web.yaml': web('web') })
  onTestFinished(() => world.close())
  await world.held('Manual')
  const plan = { revision: `main@sha1:${'0'.repeat(40)}`, fingerprint: 'of another world' }
  const [refused, applied] = await Promise.allSettled([world.plane.sync(APP, { ...request, plan }), world.plane.sync(APP, request)])
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'Conflict' } })
  expect(applied).toMatchObject({ status: 'fulfilled' })
  await world.synced()
})

it('runs a Job again with what mends the rest, where it failed with a revision that went back', async ({ onTestFinished }) => {
  const check = (exitCode: number) =>
    job('check', {
      unit: `fake: {runForSeconds: 0, exitCode: ${exitCode}}`,
      more: 'backoffLimit: 0\ndependsOn: [{kind: Deployment, name: web, condition: Available}]',
    })
  const world = await World.with({ 'app.yaml': policy({ atomic: true }), 'web.yaml': web('web') })
  onTestFinished(() => world.close())
  await world.proved()
  const failures = () => world.plane.runs().filter(({ phase }) => phase === 'Failed').length
  world.commit({ 'web.yaml': web('web', { image: 'a:2' }), 'check.yaml': check(3) }, 'its check fails')
  await waitUntil(() => world.outcomes().includes('RolledBack'))
  await waitUntil(() => world.app().health === 'Healthy')
  expect(failures()).toBe(1)
  world.commit({ 'web.yaml': web('web', { image: 'a:3' }) }, 'should mend it')
  await waitUntil(() => world.outcomes().filter((outcome) => outcome === 'RolledBack').length === 2)
  // Each time a run of its own, for what a Job is a gate of was another.
  expect(failures()).toBe(2)
  expect(new Set(world.plane.runs().map(({ id }) => id)).size).toBe(2)
})
