import { randomInt } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { type AttemptRef, type Driver, type Exit, type Handle, type Prepared, WHOLE_LOG } from '../../../runtime/driver.ts'
import type { ProcessDriverOptions } from '../../../runtime/drivers/process/driver.ts'
import { type AttemptPaths, layoutOf, pathsOf } from '../../../runtime/drivers/process/names.ts'
import { TaskId } from '../../../src/model/ids.ts'
import { ProcessPolicy } from '../../../src/model/process-policy.ts'
import type { TaskSpec, UnitSpec } from '../../../src/model/task-spec.ts'
import { clearAway, type ProcessHarness, processHarness, processSpec } from './harness.ts'

export const never = () => new AbortController().signal
export const NONE: Prepared = { artifacts: {}, secrets: new Map() }

export type Setup = Omit<Partial<ProcessDriverOptions>, 'policy'> & { readonly policy?: Partial<ProcessPolicy> }

/** One driver over real processes, and one attempt at a time. */
export class Workbench {
  readonly harness: ProcessHarness
  readonly driver: Driver
  readonly ref: AttemptRef = { task: TaskId.parse('job-1'), attempt: 1 }

  private constructor(harness: ProcessHarness, { policy, ...options }: Setup) {
    this.harness = harness
    this.driver = harness.make({ ...options, policy: ProcessPolicy.parse(policy ?? {}) })
  }

  static async open(setup: (harness: ProcessHarness) => Setup = () => ({})): Promise<Workbench> {
    const harness = await processHarness()
    return new Workbench(harness, setup(harness))
  }

  get paths(): AttemptPaths {
    return pathsOf(layoutOf(this.harness.stateDir), this.ref)
  }

  async start(spec: TaskSpec, prepared = NONE): Promise<Handle> {
    await this.driver.prepare(spec, never())
    return this.driver.start(this.ref, spec, prepared)
  }

  /** Runs a program to its end; what it printed to stdout, then to stderr. */
  async run(command: readonly string[], unit: Partial<UnitSpec>, prepared = NONE): Promise<{ exit: Exit; out: string[] }> {
    const handle = await this.start(processSpec(command, unit), prepared)
    const exit = await this.driver.wait(handle, never())
    return { exit, out: await this.output(handle) }
  }

  async output(handle: Handle): Promise<string[]> {
    const lines: string[] = []
    for await (const { text } of this.driver.logs(handle, WHOLE_LOG, never())) lines.push(text)
    return lines
  }

  async close(): Promise<void> {
    await clearAway(this.driver)
    await this.harness.destroy()
  }
}

/** Seconds to sleep that no other process of this machine has among its arguments. */
export const uniqueSeconds = (): string => `1000.${randomInt(1e9, 9e9)}`

/** Living processes with exactly these arguments, whatever their environment, session and namespace are. */
export async function pidsWith(...words: readonly string[]): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const line = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
    if (line === `${words.join('\0')}\0`) found.push(Number(name))
  }
  return found
}
