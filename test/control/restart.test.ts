import { expect, it } from 'vitest'
import { APP, World, web } from './world.ts'

it('calls no app Synced before it has read git anew, for a commit may have come while it was away', async () => {
  const world = await World.with({ 'web.yaml': web('web') })
  await world.synced()
  await world.servers[0]?.stop()
  world.commit({ 'web.yaml': web('web', { image: 'a:2' }) })
  const again = await world.server()
  await again.control.untilLeading(new AbortController().signal)
  expect(again.control.plane.app(APP).sync).toBe('Unknown')
  await world.close()
})
