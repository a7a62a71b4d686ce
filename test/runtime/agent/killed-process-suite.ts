import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { probeCgroups, removeBases } from '../../../runtime/drivers/process/cgroup-tree.ts'
import { layoutOf } from '../../../runtime/drivers/process/names.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { wsChannel } from '../../../src/lib/ws-channel.ts'
import type { TaskId } from '../../../src/model/ids.ts'
import type { Isolation } from '../../../src/model/process.ts'
import { AgentFrame, type ServerFrame } from '../../../src/model/protocol.ts'
import { TERMINAL } from '../../../src/model/task.ts'
import type { UnitSpec } from '../../../src/model/task-spec.ts'
import { compile } from '../../support/compile.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { livingPids, processSpec } from '../process/harness.ts'
import { TestHub } from './hub.ts'

const KILLS = 8
const JOBS_EACH = 3
/** A life long enough to connect, and short enough to end among starts and exits. */
const SHORTEST_LIFE_MS = 30
const LONGEST_LIFE_MS = 500
const EXIT_CODE = 3
/** Its processes are looked for on the whole machine, where another run of these tests may have one too. */
const SERVICE = { task: `service-${randomBytes(4).toString('hex')}` as TaskId, attempt: 1 }

/** What a journal, shims and cgroups are for, on real processes of any isolation. */
export function killedProcessSuite(isolation: Isolation): void {
  describe(`a whole agent killed again and again, its tasks with isolation ${isolation}`, () => {
    const hub = new TestHub()
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    let compiled: string
    let root: string
    let agent: ChildProcess | null = null
    const stateDir = () => join(root, 'state')
    const ledger = () => join(root, 'ledger')

    beforeAll(async () => {
      compiled = await compile(new URL('killable.ts', import.meta.url))
      // Not in /tmp, of which a sandbox has its own.
      root = await mkdtemp('/var/tmp/drover-killable-')
      await mkdir(ledger())
      await chmod(ledger(), 0o777)
      server.on('connection', (socket) =>
        hub.serve(wsChannel<ServerFrame, AgentFrame>(socket, { clock: systemClock, parse: (value) => AgentFrame.parse(value) })),
      )
    }, 60_000)

    afterAll(async () => {
      agent?.kill('SIGKILL')
      for (const pid of await livingPids(SERVICE)) process.kill(pid, 'SIGKILL')
      for (const client of server.clients) client.terminate()
      await new Promise((resolve) => server.close(resolve))
      await removeBases((await probeCgroups(`drover-killable-${layoutOf(join(stateDir(), 'process')).mark}`)).tree)
      for (const folder of [root, compiled]) await rm(folder, { recursive: true, force: true })
    }, 60_000)

    async function startAgent(): Promise<ChildProcess> {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const child = fork(join(compiled, 'test/runtime/agent/killable.js'), [stateDir(), url, ledger()], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      agent = child
      const before = hub.hellos.length
      // A whole Node process begins, perhaps on a machine that has much else to do.
      await waitUntil(() => hub.hellos.length > before, { timeoutMs: 60_000 })
      return child
    }

    const script = (end: string) => ['sh', '-c', `echo ran >> "$LEDGER/$DROVER_TASK.$DROVER_ATTEMPT"; ${end}`]
    const unit = (): Partial<UnitSpec> => ({
      env: { LEDGER: ledger() },
      isolation,
      ...(isolation === 'sandbox' ? { sandbox: { network: 'Host', hostPaths: [{ path: ledger(), readOnly: false }] } } : {}),
    })
    const job = () => ({
      ...processSpec(script(`sleep 0.2; exit ${EXIT_CODE}`), unit()),
      restartPolicy: 'OnFailure' as const,
      maxRestarts: 1,
    })
    const service = () => ({ ...processSpec(script('exec sleep 1000'), unit()), restartPolicy: 'Always' as const, gracePeriodSeconds: 1 })

    /** Attempts that really started, as they wrote it down themselves, each as often as it did. */
    async function started(task: string): Promise<number[]> {
      const files = (await readdir(ledger())).filter((name) => name.startsWith(`${task}.`))
      const attempts = await Promise.all(
        files.map(async (name) => {
          const times = (await readFile(join(ledger(), name), 'utf8')).trim().split('\n').length
          return Array.from({ length: times }, () => Number(name.slice(task.length + 1)))
        }),
      )
      return attempts.flat().sort((a, b) => a - b)
    }

    it(`A1: runs each attempt once, restarts nothing that runs, and loses no exit code in ${KILLS} kills`, async () => {
      hub.assign(SERVICE.task, service())
      let child = await startAgent()
      await waitUntil(async () => hub.status(SERVICE.task)?.ready === true && (await livingPids(SERVICE)).length === 1)
      const [pid] = await livingPids(SERVICE)
      for (let kill = 0; kill < KILLS; kill += 1) {
        for (let n = 0; n < JOBS_EACH; n += 1) hub.assign(`job-${kill}-${n}`, job())
        await systemClock.sleep(SHORTEST_LIFE_MS + Math.random() * (LONGEST_LIFE_MS - SHORTEST_LIFE_MS))
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
        child = await startAgent()
      }
      const jobs = [...hub.orders.keys()].filter((task) => task !== SERVICE.task)
      await waitUntil(() => jobs.every((task) => TERMINAL.has(hub.status(task)?.phase ?? 'Pending')), { timeoutMs: 30_000 })
      for (const task of jobs) {
        const status = hub.status(task)
        expect(status, task).toMatchObject({ phase: 'Failed', failures: 2 })
        expect(await started(task), task).toEqual(status?.attempts.map((record) => record.attempt))
        expect(status?.attempts.map((record) => record.exitCode)).toEqual([EXIT_CODE, EXIT_CODE])
      }
      expect(hub.steppedBack).toEqual([])
      expect(await started(SERVICE.task)).toEqual([1])
      expect(await livingPids(SERVICE)).toEqual([pid])
      for (const task of [...hub.orders.keys()]) hub.forget(task)
      await waitUntil(async () => (await readdir(join(stateDir(), 'journal', 'tasks'))).length === 0, { timeoutMs: 20_000 })
      expect(await livingPids(SERVICE)).toEqual([])
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    }, 180_000)
  })
}
