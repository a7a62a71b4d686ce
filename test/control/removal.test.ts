import { describe, expect, it } from 'vitest'
import type { Changes } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'
import { policy, World, web } from './world.ts'

const LINKS = 14
const BROKEN = 'fake: {failStart: true}'

/** Each waits for the one before. */
function chain(image: string, unit = ''): Changes {
  const needs = (index: number) => (index === 0 ? '' : `dependsOn: [{kind: Deployment, name: w${index - 1}, condition: Available}]`)
  const links = Array.from({ length: LINKS }, (_, index) => index)
  return Object.fromEntries(
    links.map((index) => [`w${index}.yaml`, web(`w${index}`, { image, unit: index === 0 ? unit : '', more: needs(index) })]),
  )
}

describe.concurrent('while something is being removed', () => {
  it('a long chain that fails does not end the leader', async ({ onTestFinished }) => {
    const world = new World()
    onTestFinished(() => world.close())
    world.commit({ ...chain('a:1'), 'old.yaml': web('old', { template: 'placement: {nodeSelector: {zone: b}}' }) }, 'first')
    await world.server()
    await world.agent({ cpuMillis: 100_000 })
    const away = await world.agent({ id: 'node-2', labels: { zone: 'b' } })
    await world.synced()
    await away.stop()
    world.commit({ 'old.yaml': null }, 'its machine is off, so it stays for long')
    await waitUntil(() => world.workload('old')?.health === 'Progressing')
    const { epoch } = world.plane.version()
    world.commit(chain('a:2', BROKEN), 'bad')
    await waitUntil(() => world.app().workloads.filter(({ quarantine }) => quarantine !== null).length === LINKS)
    expect(world.plane.version().epoch).toBe(epoch)
  })

  it('nor does one that is held in an atomic app', async ({ onTestFinished }) => {
    const world = new World()
    onTestFinished(() => world.close())
    world.commit({ 'app.yaml': policy({ atomic: true, onFailure: 'Hold' }), ...chain('a:1'), 'old.yaml': web('old') }, 'first')
    await world.server()
    await world.agent({ cpuMillis: 100_000 })
    await world.proved()
    const { epoch } = world.plane.version()
    world.commit({ ...chain('a:2', BROKEN), 'old.yaml': null }, 'bad')
    const failed = () => world.app().workloads.filter(({ health }) => health === 'Degraded').length
    await waitUntil(() => failed() >= 1 && world.plane.rollouts().filter(({ phase }) => phase === 'Failed').length >= 1)
    expect(world.workload('old')?.reasons.map(({ code }) => code)).toContain('AtomicRevision')
    world.commit(chain('a:3'), 'mended')
    await world.synced()
    expect(world.workload('old')).toBeUndefined()
    expect(world.plane.version().epoch).toBe(epoch)
  })
})
