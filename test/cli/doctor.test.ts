import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { serverFindings } from '../../src/cli/doctor-server.ts'
import { agentUnits } from '../../src/cli/systemd-units.ts'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { NOW } from '../support/fake-views.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-units-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('units of systemd', () => {
  const unit = (name: string, text: string) => writeFileSync(join(folder, name), `[Service]\n${text}\n`)
  const START = 'ExecStart=/usr/bin/drover agent --server https://a'

  it.each([
    ['by default', START, { killMode: 'control-group', delegate: false }],
    ['as they should be', `${START}\nKillMode=process\nDelegate=yes`, { killMode: 'process', delegate: true }],
    ['by the last word', `${START}\nKillMode=process\nKillMode=mixed\nDelegate=cpu memory`, { killMode: 'mixed', delegate: true }],
    ['of drover up', 'ExecStart=/usr/bin/node /opt/drover/drover.js up --repo /srv', { killMode: 'control-group', delegate: false }],
  ])('are read %s', async (_, text, expected) => {
    unit('drover.service', text)
    expect(await agentUnits([join(folder, 'none'), folder])).toMatchObject([expected])
  })

  it('are read with their drop-ins', async () => {
    unit('drover.service', START)
    mkdirSync(join(folder, 'drover.service.d'))
    unit('drover.service.d/override.conf', 'KillMode=process')
    expect(await agentUnits([folder])).toMatchObject([{ killMode: 'process' }])
  })

  it('of other programs, and of a server, are none of its business', async () => {
    unit('other.service', 'ExecStart=/usr/bin/other agent')
    unit('server.service', 'ExecStart=/usr/bin/drover server --repo /srv')
    expect(await agentUnits([folder])).toEqual([])
  })
})

describe('what the server knows', () => {
  const ask = async (now: number) => {
    const findings = [{ check: 'etcd alarm', verdict: 'fail' as const, detail: 'NOSPACE', fix: 'make space' }]
    const { deps, run } = cliOver(fakeControl({ health: { now: new Date(now).toISOString(), findings } }))
    return { deps, run }
  }

  it('is told beside what is found here, and its failures count', async () => {
    const { run } = await ask(NOW)
    const { stdout, exit } = await run('doctor')
    expect(stdout).toMatch(/etcd alarm\s+fail\s+NOSPACE\s+make space/)
    expect(stdout).toMatch(/clock\s+ok\s/)
    expect(exit).toBe(1)
  })

  it.each([
    [-60_000, '60.0 s behind'],
    [90_000, '90.0 s ahead'],
  ])('a clock that is off by %i ms is told', async (off, said) => {
    const { run } = await ask(NOW + off)
    expect((await run('doctor')).stdout).toContain(`the server's is ${said}`)
  })

  it('is nothing where none answers', async () => {
    const { deps } = await ask(NOW)
    const { createClient } = await import('../../src/cli/client.ts')
    const client = createClient({
      url: 'http://127.0.0.1:9',
      fetch: () => Promise.reject(new TypeError('fetch failed')),
      token: null,
      signal: deps.signal,
    })
    expect(await serverFindings(client, deps.clock)).toEqual([])
  })
})
