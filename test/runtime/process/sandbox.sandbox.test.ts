import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { type Attempts, type Outcomes, trespasser } from './trespasser.ts'
import { uniqueSeconds, Workbench } from './workbench.ts'

const SANDBOX: Partial<UnitSpec> = { isolation: 'sandbox' }

describe('what a sandboxed task may not do', () => {
  let bench: Workbench
  let root: string
  let decoy: ChildProcess
  let server: Server
  let attempts: Attempts

  beforeEach(async () => {
    // All of it lies in a folder that the policy shows to every sandbox, so only what is covered on purpose is not seen.
    bench = await Workbench.open(({ stateDir }) => ({
      policy: { programs: ['/usr', dirname(stateDir)] },
      privateDirs: [join(dirname(stateDir), 'data')],
    }))
    root = dirname(bench.harness.stateDir)
    await chmod(root, 0o755)
    const other = join(bench.harness.stateDir, 'attempts/other.1/work')
    for (const folder of [join(root, 'data/agent/journal'), other]) await mkdir(folder, { recursive: true })
    const files = [join(root, 'data/secrets.key'), join(root, 'data/agent/journal/task'), join(other, 'file'), join(root, 'in-the-open')]
    for (const file of files) await writeFile(file, 'x')
    const seconds = uniqueSeconds()
    decoy = spawn('sleep', [seconds])
    server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    attempts = {
      read: files,
      list: [join(root, 'data'), dirname(other), '/root', '/run'],
      write: [join(root, 'written'), join(root, 'in-the-open')],
      decoy: { pid: decoy.pid ?? 0, argument: seconds },
      port: (server.address() as AddressInfo).port,
    }
  })
  afterEach(async () => {
    decoy.kill('SIGKILL')
    server.close()
    await bench.close()
  })

  async function outcomes(unit: Partial<UnitSpec>, tried = attempts): Promise<Outcomes> {
    const { out } = await bench.run(trespasser(tried), unit)
    return JSON.parse(out.join('\n'))
  }

  it('it all can without a sandbox: these tests could fail', async () => {
    const without = await outcomes({ isolation: 'cgroup' })
    expect(new Set(Object.values(without))).toEqual(new Set(['done']))
    await waitUntil(() => decoy.signalCode === 'SIGTERM')
  })

  // Even root: without its rights it is still the owner of what it must not reach.
  it.each(['root', 'nobody'])('S-11: %s reaches no state, no other task, no process and, without a network, no port', async (user) => {
    const network: Partial<UnitSpec> = { sandbox: { network: 'None', hostPaths: [] } }
    const tried = { ...attempts, write: [...attempts.write, '/x', '/dev/x', '/etc/x', '/usr/x', '/proc/sys/kernel/hostname'] }
    const { [`read ${join(root, 'in-the-open')}`]: open, ...rest } = await outcomes({ ...SANDBOX, ...network, user }, tried)
    expect(open).toBe('done')
    expect(Object.entries(rest).filter(([, outcome]) => outcome === 'done')).toEqual([])
    expect(rest).toMatchObject({ see: 'not seen', signal: 'ESRCH', connect: 'ECONNREFUSED' })
    expect([decoy.exitCode, decoy.signalCode]).toEqual([null, null])
  })

  it('reaches the ports of the machine over its network, which is the default', async () => {
    expect(await outcomes(SANDBOX)).toMatchObject({ connect: 'done' })
  })

  it('and no signal of its own reaches its shim, which is to say how it ended', async () => {
    const suicide = ['sh', '-c', 'kill -KILL 0; sleep 1000']
    expect((await bench.run(suicide, { ...SANDBOX, user: 'root' })).exit).toMatchObject({ exitCode: 137, reason: 'Error' })
    await bench.driver.remove(bench.ref)
    expect((await bench.run(suicide, { isolation: 'cgroup' })).exit).toMatchObject({ exitCode: null, reason: 'LostUnknownExit' })
  })
})
