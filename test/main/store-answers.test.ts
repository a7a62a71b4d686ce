import { expect, it } from 'vitest'
import { RetryableError, TerminalError } from '../../src/lib/errors.ts'
import { silentLog } from '../../src/lib/log.ts'
import { onceStoreAnswers } from '../../src/main/store-answers.ts'
import { createFakeClock } from '../support/fake-clock.ts'

const never = new AbortController().signal

/** Fails so often before it answers, and counts how often it was asked. */
function store(failures: number, error: Error) {
  const asked = { times: 0 }
  const ask = async (): Promise<string> => {
    asked.times += 1
    if (asked.times <= failures) throw error
    return 'answer'
  }
  return { asked, ask }
}

it('asks each second until the store answers', async () => {
  const clock = createFakeClock()
  const { asked, ask } = store(2, new RetryableError('etcd does not answer'))
  const answer = onceStoreAnswers(ask, { clock, log: silentLog, signal: never })
  await clock.advance(1000)
  expect(asked.times).toBe(2)
  await clock.advance(1000)
  expect(await answer).toBe('answer')
  expect(asked.times).toBe(3)
})

it('does not wait for what no waiting mends', async () => {
  const { asked, ask } = store(1, new TerminalError('StoreChanged', 'another cluster'))
  await expect(onceStoreAnswers(ask, { clock: createFakeClock(), log: silentLog, signal: never })).rejects.toThrow('another cluster')
  expect(asked.times).toBe(1)
})

it('ends when it is told to', async () => {
  const stop = new AbortController()
  const waiting = onceStoreAnswers(store(9, new RetryableError('away')).ask, {
    clock: createFakeClock(),
    log: silentLog,
    signal: stop.signal,
  })
  stop.abort(new Error('ended by SIGTERM'))
  await expect(waiting).rejects.toThrow('ended by SIGTERM')
})
