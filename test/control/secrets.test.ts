import { beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { newIdentity } from '../../src/secrets/identities.ts'
import { encryptManifest } from '../../src/secrets/manifest-text.ts'
import type { Changes } from '../support/git-repo.ts'
import { waitUntil } from '../support/wait-until.ts'
import { APP, World, web } from './world.ts'

type AgeKey = Awaited<ReturnType<typeof newIdentity>>

let own: AgeKey
let foreign: AgeKey
beforeAll(async () => {
  own = await newIdentity()
  foreign = await newIdentity()
})

const plainSecret = (values: string, name = 'db') => `apiVersion: drover.dev/v1\nkind: Secret\nmetadata: {name: ${name}}\n${values}\n`
const secret = (values: string, key = own) => encryptManifest(plainSecret(values), { recipients: [key.recipient], now: 0 })
const USES = 'env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]'
const user = (name = 'web') => web(name, { unit: USES })

async function open({ onTestFinished }: TestContext, files: Changes): Promise<World> {
  const world = await World.with(files, { identities: [own.identity] })
  onTestFinished(() => world.close())
  return world
}

async function everythingStored(world: World): Promise<string> {
  const { items } = await world.cluster.connect({ unreachable: false, losesReplies: false }).list('')
  return JSON.stringify(items)
}

describe.concurrent('a Secret in git', () => {
  it('rolls its users when a value changes, also by a revert, and nothing else', async (test) => {
    const first = await secret('stringData: {password: canary-one}')
    const world = await open(test, { 'web.yaml': user(), 'other.yaml': web('other'), 'db.yaml': first })
    await world.proved()
    const [digest, before, others] = [world.workload('web')?.inputsDigest, world.ids('web'), world.ids('other')]
    world.commit({ 'db.yaml': await secret('stringData: {password: canary-two}') }, 'a new password')
    await world.proved()
    expect(world.workload('web')?.inputsDigest).not.toBe(digest)
    expect(world.ids('web')).not.toEqual(before)
    expect(world.ids('other')).toEqual(others)
    world.commit({ 'db.yaml': first }, 'the old one again')
    await world.proved()
    expect(world.workload('web')?.inputsDigest).toBe(digest)
    const stored = await everythingStored(world)
    expect(stored).toContain('default/db/password')
    expect(stored).not.toContain('canary')
  })

  it('that is only encrypted anew, or by another field, restarts nothing', async (test) => {
    const world = await open(test, { 'web.yaml': user(), 'db.yaml': await secret('stringData: {password: same}') })
    await world.proved()
    const before = world.ids('web')
    world.commit({ 'db.yaml': await secret('data: {password: c2FtZQ==}') }, 'the same in base64')
    await world.synced()
    expect(world.ids('web')).toEqual(before)
  })

  it('that cannot be opened leaves its users as they are, says so at its place, and stops nothing else', async (test) => {
    const world = await open(test, { 'web.yaml': user(), 'db.yaml': await secret('stringData: {password: one}') })
    await world.proved()
    const [digest, before] = [world.workload('web')?.inputsDigest, world.ids('web')]
    const foreignFile = await secret('stringData: {password: two}', foreign)
    world.commit({ 'db.yaml': foreignFile, 'other.yaml': web('other') }, 'for somebody else')
    await world.held('InvalidManifests')
    await waitUntil(() => world.tasks('other').length > 0)
    expect(world.app().problems).toEqual([
      expect.objectContaining({
        file: 'db.yaml',
        line: 1,
        column: 1,
        message: expect.stringContaining('Secret default/db cannot be opened'),
      }),
    ])
    expect([world.workload('web')?.inputsDigest, world.ids('web')]).toEqual([digest, before])
    world.commit(
      { 'db.yaml': (await secret('stringData: {password: three}')).replace(/data:[A-Za-z0-9+/=]+,iv/, 'data:AAAA,iv') },
      'changed on the way',
    )
    await waitUntil(() => world.app().problems.some(({ message }) => message.includes('cannot be opened')))
    expect(world.ids('web')).toEqual(before)
  })

  it('holds base64 of text below data, and says when it is none', async (test) => {
    const world = await open(test, { 'web.yaml': user(), 'db.yaml': await secret('data: {password: "not base64!"}') })
    await world.held('InvalidManifests')
    expect(world.app().problems[0]?.message).toContain('data.password is not base64; plain text belongs in stringData')
    world.commit({ 'db.yaml': await secret('data: {password: /w==}') }, 'no text')
    await waitUntil(() => world.app().problems[0]?.message.includes('binary values are not supported') === true)
    world.commit({ 'db.yaml': await secret('data: {password: b25l}') }, 'text')
    await world.synced()
  })

  it('shows in no plan but by its key', async (test) => {
    const world = await open(test, { 'web.yaml': user(), 'db.yaml': await secret('stringData: {password: canary-one}') })
    await world.proved()
    const file = { path: 'db.yaml', text: await secret('stringData: {password: canary-two, more: canary-three}') }
    const asked = { ref: null, files: [file, { path: 'web.yaml', text: user() }] }
    const plan = await world.plane.plan(APP, asked)
    const text = JSON.stringify(plan)
    expect(text).toContain('secret[db].data.password')
    expect(text).toContain('(sensitive, changed)')
    expect(text).not.toMatch(/canary|sealed|v1\./)
  })
})
