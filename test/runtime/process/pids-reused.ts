import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createProcessDriver } from '../../../runtime/drivers/process/driver.ts'
import { layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { Strangers } from '../../support/strangers.ts'
import { waitUntil } from '../../support/wait-until.ts'

/**
 * A machine on which an agent is killed, its task ends, strangers get the pids of the task and of its shim, and the next
 * agent looks after the task. Runs in a pid namespace; tells its parent what the agent says and who of the strangers ended.
 */
const [stateDir = '', spec = '', end = '', kind = ''] = process.argv.slice(2)
const REF = { task: TaskId.parse('job-1'), attempt: 1 }
const paths = pathsOf(layoutOf(stateDir), REF)
const never = new AbortController().signal

const pidIn = (file: string, word: number): number => Number(readFileSync(file, 'utf8').split(' ')[word])

async function startedByAnAgentThatIsKilled(): Promise<number[]> {
  const agent = fork(join(import.meta.dirname, 'racer.js'), [stateDir, REF.task, spec, '0'])
  await once(agent, 'message')
  agent.send('go')
  await waitUntil(() => existsSync(paths.pid) && readFileSync(paths.pid, 'utf8').endsWith('\n'))
  const ended = once(agent, 'exit')
  agent.kill('SIGKILL')
  await ended
  return [pidIn(paths.pid, 0), pidIn(paths.claim, 1)]
}

const pids = await startedByAnAgentThatIsKilled()
if (end === 'exits') writeFileSync(join(stateDir, 'end'), '')
// The shim first, or it would write down how the task ended.
else for (const pid of pids.toReversed()) process.kill(pid, 'SIGKILL')
await waitUntil(() => pids.every((pid) => !existsSync(`/proc/${pid}`)))
const strangers = new Strangers()
for (const pid of pids) await strangers.take(pid, kind === 'daemon' ? 'daemon' : 'login')

const driver = createProcessDriver({ stateDir, agent: 'racer', clock: systemClock, log: silentLog, policy: DEFAULT_PROCESS_POLICY })
const found = await driver.recover(REF)
if (found.state !== 'attached') throw new Error(`the attempt is ${found.state}`)
await driver.stop(found.handle, 100)
const { exitCode, reason } = await driver.wait(found.handle, never)
await driver.remove(REF)
await driver.close()
process.send?.({ exitCode, reason, taken: strangers.pids.length, ended: strangers.ended }, () => process.exit())
