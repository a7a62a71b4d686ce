import { WHOLE_LOG } from '../../../runtime/driver.ts'
import { createProcessDriver } from '../../../runtime/drivers/process/driver.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { DEFAULT_PROCESS_POLICY } from '../../../src/model/process-policy.ts'
import { processSpec } from './harness.ts'

/** A driver in a process that is not root: one sandboxed task, one probe of it, and what both saw as JSON. */
const [stateDir = '', network = ''] = process.argv.slice(2)
const ref = { task: TaskId.parse('job-1'), attempt: 1 }
const never = new AbortController().signal
const RIGHTS =
  'echo "$(id -u) $(grep -E "^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)" /proc/self/status | cut -f 2 | sort -u | tr "\\n" " ")$(readlink /proc/self/ns/net)"'

const driver = createProcessDriver({
  ...{ stateDir, agent: 'unprivileged', clock: systemClock, log: silentLog },
  policy: DEFAULT_PROCESS_POLICY,
})
const spec = processSpec(['sh', '-c', `ls ${stateDir} 2>&1; ${RIGHTS}; echo mine > file; exec sleep 1000`], {
  isolation: 'sandbox',
  sandbox: { network: network === 'None' ? 'None' : 'Host', hostPaths: [] },
})
await driver.prepare(spec, never)
const handle = await driver.start(ref, spec, { artifacts: {}, secrets: new Map() })
const probe = async (text: string) =>
  driver.probe(handle, { check: { type: 'exec', command: ['sh', '-c', text] }, spec, secrets: new Map() }, never)
while (!(await probe('test "$(cat file)" = mine')).passed) await systemClock.sleep(50)
const probed = await probe(`${RIGHTS}; exit 1`)
await driver.stop(handle, 60_000)
const exit = await driver.wait(handle, never)
const lines: string[] = []
for await (const { text } of driver.logs(handle, WHOLE_LOG, never)) lines.push(text)
await driver.remove(ref)
await driver.close()
process.stdout.write(JSON.stringify({ probed, exit, lines }))
