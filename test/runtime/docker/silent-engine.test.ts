import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Driver, Handle } from '../../../runtime/driver.ts'
import { createDockerDriver } from '../../../runtime/drivers/docker/driver.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { RetryableError } from '../../../src/lib/errors.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { newRef } from '../driver-suite/bench.ts'
import { containerSpec } from './harness.ts'

/** Takes every connection and never says a word, as a daemon that hangs. */
describe('an engine that never answers', () => {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket.resume())
    socket.on('close', () => open.delete(socket)).on('error', () => open.delete(socket))
  })
  const deadlines = { call: 200, start: 200, ping: 200, stop: 200 }
  const identity = { cluster: 'suite', agent: 'silent', clock: systemClock, log: silentLog }
  let folder: string
  let driver: Driver

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-silent-'))
    const socketPath = join(folder, 'docker.sock')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    driver = createDockerDriver({ ...identity, socketPath, stateDir: join(folder, 'state'), deadlines })
  })
  afterAll(async () => {
    await driver.close()
    await new Promise((resolve) => server.close(resolve))
    await rm(folder, { recursive: true, force: true })
  })

  const never = new AbortController().signal
  const handle: Handle = { ...newRef(), ref: 'f00d' }
  const files = { artifacts: {}, secrets: new Map() }
  const calls: Record<string, () => Promise<unknown>> = {
    prepare: () => driver.prepare(containerSpec({}), never),
    start: () => driver.start(newRef(), containerSpec({}), files),
    recover: () => driver.recover(newRef()),
    health: () => driver.health(handle),
    stop: () => driver.stop(handle, 0),
    remove: () => driver.remove(newRef()),
    stats: () => driver.stats(handle),
    owned: () => driver.owned(),
  }

  it.each(Object.keys(calls))('D11: hangs no call: %s', async (name) => {
    await expect(calls[name]?.()).rejects.toBeInstanceOf(RetryableError)
  })

  it('D11: is told to be missing by its fingerprint, which does not hang either', async () => {
    expect(await driver.fingerprint(never)).toMatchObject({ available: false })
  })

  it('D11: calls that were given up leave no connection open, however many they were', async () => {
    const given = await Promise.allSettled(Array.from({ length: 100 }, () => driver.health(handle)))
    expect(given.every(({ status }) => status === 'rejected')).toBe(true)
    await waitUntil(() => open.size === 0)
  })
})
