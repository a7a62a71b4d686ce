import { describe, expect, it } from 'vitest'
import { diffWorkloads } from '../../src/core/plan-changes.ts'
import { planView } from '../../src/core/plan-view.ts'
import { deployment, keyed, web } from '../core/plan-support.ts'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { shop } from '../support/fake-shop.ts'

const small = keyed(deployment('web', { template: web({}) }))
const large = keyed(deployment('web', { template: web({ env: [{ name: 'A', value: 'b' }] }) }), deployment('api', { template: web({}) }))
const context = { app: 'shop', from: 'main@sha1:x', to: 'main@sha1:y', problems: [], fingerprint: '', removals: 'AtOnce' as const }

describe('a plan that came over the wire', () => {
  it.each([
    ['adds', small, large],
    ['removes', large, small],
  ])('is understood where it %s workloads and fields', async (_, before, after) => {
    const plan = planView(diffWorkloads(before, after), context)
    const { exit, stdout, stderr } = await cliOver(fakeControl({ ...shop(), plan })).run('plan')
    expect({ exit, stdout, stderr }).toEqual({ exit: 0, stdout: plan.text, stderr: '' })
  })
})
