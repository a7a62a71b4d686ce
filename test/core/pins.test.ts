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
})
