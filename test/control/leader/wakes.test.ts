import { expect, it } from 'vitest'
import { changesOf } from '../../../src/control/leader/changes.ts'
import { Wakes } from '../../../src/control/leader/wakes.ts'

it('keys are due once, at their time or later, and only by their last word', () => {
  const wakes = new Wakes<string>()
  expect(wakes.next()).toBeNull()
  wakes.set('a', 30)
  wakes.set('b', 10)
  wakes.set('c', 20)
  wakes.set('b', 40)
  wakes.set('c', null)
  expect(wakes.next()).toBe(30)
  expect(wakes.takeDue(29)).toEqual([])
  expect(wakes.takeDue(30)).toEqual(['a'])
  expect(wakes.takeDue(30)).toEqual([])
  expect([wakes.next(), wakes.get('b'), wakes.get('a')]).toEqual([40, 40, null])
  wakes.set('b', null)
  expect(wakes.next()).toBeNull()
})

it('finds the first of very many', () => {
  const wakes = new Wakes<number>()
  for (let key = 0; key < 300_000; key += 1) wakes.set(key, 1_000_000 - key)
  expect(wakes.next()).toBe(700_001)
})

/** A term in which turns are only told of. */
function term() {
  const listeners = new Set<() => void>()
  return {
    listeners,
    turn: () => listeners.forEach((listener) => void listener()),
    term: { listeners } as unknown as Parameters<typeof changesOf>[0],
  }
}

it('changes come at once and then once a turn; turns that a slow reader missed are one', async () => {
  const { term: watched, turn, listeners } = term()
  const reader = new AbortController()
  const changes = changesOf(watched, reader.signal)[Symbol.asyncIterator]()
  expect((await changes.next()).done).toBe(false)
  for (let missed = 0; missed < 5; missed += 1) turn()
  expect((await changes.next()).done).toBe(false)
  const next = changes.next()
  turn()
  expect((await next).done).toBe(false)
  const last = changes.next()
  reader.abort()
  expect((await last).done).toBe(true)
  expect(listeners.size).toBe(0)
})

it('a reader that has gone before it began gets nothing', async () => {
  const { term: watched, listeners } = term()
  const changes = changesOf(watched, AbortSignal.abort())[Symbol.asyncIterator]()
  expect((await changes.next()).done).toBe(true)
  expect(listeners.size).toBe(0)
})
