import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { agentNameOf, memTotalOf, readMachine } from '../../../runtime/machine.ts'
import type { AgentId } from '../../../src/model/ids.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drover-machine-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

it('keeps its identity as long as its state directory lives, and no longer', async () => {
  const stateDir = join(directory, 'state')
  const first = await readMachine({ stateDir })
  const again = await readMachine({ stateDir })
  expect(again).toEqual(first)
  const other = await readMachine({ stateDir: join(directory, 'other') })
  expect(other.id).toBe(first.id)
  expect(other.instance).not.toBe(first.instance)
  expect((await stat(stateDir)).mode & 0o777).toBe(0o700)
  expect((await stat(join(stateDir, 'agent.json'))).mode & 0o777).toBe(0o600)
})

it('refuses the state of an agent of another name', async () => {
  await readMachine({ stateDir: directory, name: 'one' as AgentId })
  await expect(readMachine({ stateDir: directory, name: 'two' as AgentId })).rejects.toThrow('belongs to agent one, not two')
})

it('says what it can bear, and lets the operator have the last word on labels', async () => {
  const machine = await readMachine({ stateDir: directory, labels: { zone: 'a', arch: 'mine' } })
  const total = memTotalOf(await readFile('/proc/meminfo', 'utf8')) ?? 0
  expect(machine.capacity.memoryBytes).toBe(Math.floor(total * 0.9))
  expect(machine.capacity.cpuMillis).toBeGreaterThanOrEqual(1000)
  expect(machine.capacity.ports).toEqual({ from: 20_000, to: 31_999 })
  expect(machine.labels).toEqual({ os: 'linux', arch: 'mine', hostname: hostname(), zone: 'a' })
  expect(machine.bootId).toBe((await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim())
})

it.each([
  ['Build_Box.example.org', 'build-box'],
  ['-odd-', 'odd'],
  ['', 'agent'],
  ['ÄÖ', 'agent'],
  ['x'.repeat(80), 'x'.repeat(63)],
])('makes a name out of the host name %j: %j', (host, name) => {
  expect(agentNameOf(host)).toBe(name)
})

it('reads the memory from the kernel’s text', () => {
  expect(memTotalOf('MemTotal:       24689212 kB\nMemFree: 1 kB\n')).toBe(24_689_212 * 1024)
  expect(memTotalOf('nothing')).toBeNull()
})
