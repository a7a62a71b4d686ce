import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AttemptRef, type Driver, type Handle, type LogQuery, WHOLE_LOG } from '../../../runtime/driver.ts'
import { type AttemptPaths, layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { TaskId } from '../../../src/model/ids.ts'
import type { LogLine } from '../../../src/model/protocol.ts'
import { type ProcessHarness, processSpec } from './harness.ts'

export const TALKER: AttemptRef = { task: TaskId.parse('talker'), attempt: 1 }

/** Obeys each line of a file as it comes: `out TEXT`, `err TEXT`, `count N` (so many numbered lines), `end`. */
const OBEY = `n=0
while :; do
  while read -r verb rest; do
    case $verb in
      out) echo "$rest" ;;
      err) echo "$rest" >&2 ;;
      count) m=0; while [ $m -lt "$rest" ]; do echo "line $n"; n=$((n+1)); m=$((m+1)); done ;;
      end) exit 3 ;;
    esac
  done
  sleep 0.01
done`

/** A real task that says what the test tells it to, when it tells it to. */
export interface Talker {
  readonly handle: Handle
  readonly paths: AttemptPaths
  tell(...orders: readonly string[]): Promise<void>
}

export async function startTalker(harness: ProcessHarness, driver: Driver): Promise<Talker> {
  const orders = join(harness.ledger, 'orders')
  await writeFile(orders, '')
  const handle = await driver.start(TALKER, processSpec(['sh', '-c', `exec < ${orders}; ${OBEY}`]), { artifacts: {}, secrets: new Map() })
  return {
    handle,
    paths: pathsOf(layoutOf(harness.stateDir), TALKER),
    tell: (...more) => writeFile(orders, more.map((order) => `${order}\n`).join(''), { flag: 'a' }),
  }
}

export async function linesOf(driver: Driver, handle: Handle, query: Partial<LogQuery> = {}): Promise<LogLine[]> {
  const lines: LogLine[] = []
  for await (const line of driver.logs(handle, { ...WHOLE_LOG, ...query }, new AbortController().signal)) lines.push(line)
  return lines
}

export const textsOf = async (driver: Driver, handle: Handle, query: Partial<LogQuery> = {}): Promise<string[]> =>
  (await linesOf(driver, handle, query)).map(({ text }) => text)

/** A driver that waits for the end rotates and notes times when it looks, which it does at once when a control file changes. */
export const poke = ({ dir }: AttemptPaths): Promise<void> => writeFile(join(dir, 'poke'), '')
