import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Driver } from '../../../runtime/driver.ts'
import { type ImageRegistry, startImageRegistry } from '../../support/image-registry.ts'
import { EXAMPLE_IMAGE } from '../../support/setup/ensure-images.mjs'
import { errorOf, never, newRef } from '../driver-suite/bench.ts'
import { containerSpec, type DockerHarness, dockerHarness, script, type UnitChange } from './harness.ts'

describe('docker driver: the very image', () => {
  let harness: DockerHarness
  let driver: Driver
  let registry: ImageRegistry
  let name: string

  beforeEach(async () => {
    harness = await dockerHarness()
    driver = await harness.create()
    registry = await startImageRegistry()
    name = `drover-example/moved-${randomBytes(4).toString('hex')}`
  })
  afterEach(async () => {
    await driver.close()
    await harness.destroy()
    const all = await harness.docker.listImages({ filters: { reference: [`${name}*`, `${registry.repository}*`] } })
    for (const { Id } of all) await harness.docker.getImage(Id).remove({ force: true })
    await registry.close()
  })

  const prepare = async (unit: UnitChange): Promise<string | undefined> => (await driver.prepare(containerSpec(unit), never())).main
  const removeImage = (reference: string) => harness.docker.getImage(reference).remove({ force: true })
  const idOf = async (reference: string): Promise<string> => (await harness.docker.getImage(reference).inspect()).Id

  /** Points the tag at a new image that says `word`; as `docker build` does, it leaves the one before without a name. */
  async function build(word: string): Promise<string> {
    const made = await harness.docker.createContainer({ Image: EXAMPLE_IMAGE, HostConfig: { NetworkMode: 'none' } })
    try {
      const built: { Id: string } = await made.commit({ repo: name, tag: 'latest', changes: `ENV WORD=${word}` })
      return built.Id
    } finally {
      await made.remove({ force: true })
    }
  }

  it('that was built here is known by its id, and runs by it though the tag has moved on', async () => {
    const first = await build('first')
    const image = `${name}:latest`
    const pinned = await prepare({ image, imagePullPolicy: 'Never' })
    expect(pinned).toBe(first)
    const second = await build('second')
    expect(await idOf(image)).toBe(second)

    const unit = { image, pinned: first, imagePullPolicy: 'Never' as const, ...script('echo $WORD; exec sleep 100000') }
    expect(await prepare(unit)).toBe(first)
    const handle = await driver.start(newRef(), containerSpec(unit), { artifacts: {}, secrets: new Map() })
    expect((await harness.docker.getContainer(handle.ref).inspect()).Image).toBe(first)
    // A new revision, which nothing is pinned for, gets the new one.
    expect(await prepare({ image, imagePullPolicy: 'Never' })).toBe(second)
    await driver.stop(handle, 0)
    await driver.remove(handle)
    await removeImage(first)
  })

  it('that was built on a machine and is gone from it cannot be had again', async () => {
    const pinned = `sha256:${'0'.repeat(64)}`
    const error = await errorOf(prepare({ pinned, imagePullPolicy: 'Always' }))
    expect(error).toMatchObject({ code: 'ImageNotPresent', message: expect.stringContaining(pinned) })
    expect(error).toHaveProperty('message', expect.stringContaining(EXAMPLE_IMAGE))
    const start = driver.start(newRef(), containerSpec({ pinned }), { artifacts: {}, secrets: new Map() })
    expect(await errorOf(start)).toHaveProperty('message', expect.stringContaining(pinned))
  })

  it('that was pulled is known by the digest of its repository, and is pulled again by it though the tag has moved on', async () => {
    const image = `${registry.repository}:1`
    const first = `${registry.repository}@${registry.publish('1', 'first')}`
    expect(await prepare({ image })).toBe(first)
    const id = await idOf(first)
    const second = `${registry.repository}@${registry.publish('1', 'second')}`
    expect(await prepare({ image, pinned: first, imagePullPolicy: 'Always' })).toBe(first)
    expect(registry.pulls).toBe(1)

    await removeImage(id)
    expect(await errorOf(prepare({ image, pinned: first, imagePullPolicy: 'Never' }))).toMatchObject({ code: 'ImageNotPresent' })
    expect(await prepare({ image, pinned: first })).toBe(first)
    expect(await idOf(first)).toBe(id)
    expect(await prepare({ image })).toBe(second)
    expect(await idOf(second)).not.toBe(id)
  })
})
