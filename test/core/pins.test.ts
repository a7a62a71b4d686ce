import { describe, expect, it } from 'vitest'
import { pinnedImages, withImages } from '../../src/core/pins.ts'
import type { AgentId } from '../../src/model/ids.ts'

const [one, two] = ['one' as AgentId, 'two' as AgentId]
const REPO = 'web@sha256:aaaa'
const ID = 'sha256:bbbb'

describe('which image a task must run', () => {
  it.each([
    ['none is known', {}, two, {}],
    ['what its own machine ran before', { [one]: { web: ID } }, one, { web: ID }],
    ['nothing that only another machine has', { [one]: { web: ID } }, two, {}],
    ['what any machine can fetch by its content', { [one]: { web: REPO } }, two, { web: REPO }],
    ['its own before that of others', { [one]: { web: REPO }, [two]: { web: ID } }, two, { web: ID }],
    ['each container for itself', { [one]: { web: REPO, log: ID } }, two, { web: REPO }],
  ])('%s', (_, pins, agent, images) => {
    expect(pinnedImages(pins, agent)).toEqual(images)
  })
})

describe('what an agent tells of images', () => {
  it('is remembered once, for a tag may have moved since', () => {
    expect(withImages({}, one, { web: ID })).toEqual({ [one]: { web: ID } })
    expect(withImages({ [one]: { web: ID } }, one, { web: 'sha256:cccc' })).toBeNull()
    expect(withImages({ [one]: { web: ID } }, one, { web: 'sha256:cccc', log: ID })).toEqual({ [one]: { web: ID, log: ID } })
  })

  it('says nothing of other machines', () => {
    expect(withImages({ [one]: { web: ID } }, two, { web: REPO })).toEqual({ [one]: { web: ID }, [two]: { web: REPO } })
  })

  it('is written once where it holds everywhere, and again only where another machine got something else', () => {
    expect(withImages({ [one]: { web: REPO } }, two, { web: REPO })).toBeNull()
    expect(withImages({ [one]: { web: REPO } }, two, { web: REPO, log: ID })).toEqual({ [one]: { web: REPO }, [two]: { log: ID } })
    const moved = { [one]: { web: REPO }, [two]: { web: 'web@sha256:cccc' } }
    expect(withImages({ [one]: { web: REPO } }, two, { web: 'web@sha256:cccc' })).toEqual(moved)
    expect(pinnedImages(moved, two)).toEqual({ web: 'web@sha256:cccc' })
  })

  it('never outgrows what a store takes', () => {
    const full = `sha256:${'f'.repeat(64)}`
    let pins: Parameters<typeof withImages>[0] = {}
    for (let machine = 0; machine < 5_000; machine += 1) {
      pins = withImages(pins, `machine-${machine}-${'x'.repeat(48)}` as AgentId, { main: full }) ?? pins
    }
    expect(JSON.stringify(pins).length).toBeLessThan(200_000)
    expect(Object.keys(pins).length).toBeGreaterThan(500)
  })
})
