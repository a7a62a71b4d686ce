import { createProcessDriver } from '../../../runtime/drivers/process/driver.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { TaskSpec } from '../../../src/model/task-spec.ts'

/** An agent that starts attempts shortly after each other when told, and is killed by its parent somewhere on the way. */
const [stateDir = '', tasks = '', spec = '', apartMs = ''] = process.argv.slice(2)
const driver = createProcessDriver({ stateDir, agent: 'racer', clock: systemClock, log: silentLog, policy: DEFAULT_PROCESS_POLICY })
// Probing the machine is no part of the race.
await driver.fingerprint(new AbortController().signal)

async function startAll(): Promise<void> {
  const parsed = TaskSpec.parse(JSON.parse(spec))
  const starts = tasks.split(',').map(async (task, i) => {
    await systemClock.sleep(i * Number(apartMs))
    await driver.start({ task: TaskId.parse(task), attempt: 1 }, parsed, { artifacts: {}, secrets: new Map() })
  })
  await Promise.all(starts)
}

process.once('message', () => void startAll())
process.send?.('ready')
