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
  const asked: string[] = []
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => open.delete(socket))
    socket.on('data', (chunk) => asked.push(chunk.toString('latin1').split('\r\n', 1)[0] ?? ''))
  })
  let folder: string
  let driver: Driver

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'drover-silent-'))
    const socketPath = join(folder, 'docker.sock')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    const deadlines = { call: 50, start: 50, ping: 50, stop: 50 }
    const identity = { cluster: 'suite', agent: 'silent' }
    driver = createDockerDriver({ ...identity, socketPath, stateDir: join(folder, 'state'), clock: systemClock, log: silentLog, deadlines })
  })
  afterAll(async () => {
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

  it('D11: many calls at once hold a bounded number of connections, and none when the driver is closed', async () => {
    const before = asked.length
    const pings = Promise.allSettled(Array.from({ length: 100 }, () => driver.health(handle)))
    await waitUntil(() => asked.length > before)
    expect(open.size).toBeLessThan(64)
    await pings
    await driver.close()
    await waitUntil(() => open.size === 0)
  })
})
