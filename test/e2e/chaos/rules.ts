import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { readLedger } from '../../support/short-tasks.ts'
import type { Toll } from './fault.ts'
import { breachesOf } from './ledger-rules.ts'
import { UsageWatch } from './usage.ts'
import type { World } from './world.ts'

/** What a log must never hold: an error that nobody had expected. */
const BROKEN =
  /unhandledRejection|UnhandledPromiseRejection|uncaughtException|Uncaught|task loop broke|FATAL ERROR|TypeError:|RangeError:|panic:/

/** What may not change from one fault to the next, and what must hold whenever all is quiet. */
export class Rules {
  readonly usage: UsageWatch
  readonly #world: World
  /** Attempts of what no fault may restart, by workload. */
  readonly #kept = new Map<string, string>()
  /** How much of each log was read. */
  readonly #read = new Map<string, number>()

  constructor(world: World) {
    this.#world = world
    this.usage = new UsageWatch(world.findings)
  }

  /** At quiet, when all that began before `upTo` (seconds since boot) is over; a schedule may start something at any moment. */
  async check(toll: Toll, upTo: number): Promise<void> {
    const ledger = readLedger(this.#world.ledger).filter(({ startedAt }) => startedAt < upTo)
    for (const { rule, message } of breachesOf(ledger, this.#world.checks.endOf)) this.#report(rule, message)
    await this.#checkKept(toll)
    this.#checkBystanders()
    this.#checkLogs()
    this.#checkUsage()
  }

  /** P3 and P7: the very attempts that ran before the fault. */
  async #checkKept(toll: Toll): Promise<void> {
    const tasks = await this.#world.api.tasks()
    for (const workload of ['steady', 'boxes']) {
      const now = tasks
        .filter((task) => task.workload === workload && task.phase === 'Running')
        .map(({ id, attempt }) => `${id}.${attempt}`)
        .sort()
        .join(' ')
      const before = this.#kept.get(workload)
      this.#kept.set(workload, now)
      const excused = toll === 'Replacement' || (workload === 'boxes' && toll === 'Containers')
      if (before !== undefined && before !== now && !excused)
        this.#report('NothingRestarts', `of ${workload} there were ${before}, and now there are ${now}`)
    }
  }

  /** INV-10. */
  #checkBystanders(): void {
    for (const { pid, exitCode, signalCode } of this.#world.bystanders)
      if (exitCode !== null || signalCode !== null) this.#report('NoForeignSignals', `process ${pid}, which is not Drover's, was ended`)
    for (const pid of this.#world.strangers.ended)
      this.#report('NoForeignSignals', `process ${pid}, which has the number of a task that is gone, was ended`)
  }

  #checkLogs(): void {
    const folder = join(this.#world.root, 'logs')
    for (const name of readdirSync(folder).filter((file) => /\.(server|agent)$/.test(file)))
      for (const line of this.#newLines(join(folder, name))) if (BROKEN.test(line)) this.#report('NothingUnhandled', `${name}: ${line}`)
  }

  #newLines(path: string): string[] {
    const file = openSync(path, 'r')
    try {
      const from = this.#read.get(path) ?? 0
      const { size } = fstatSync(file)
      const bytes = Buffer.alloc(size - from)
      readSync(file, bytes, 0, bytes.length, from)
      this.#read.set(path, size)
      return bytes.toString('utf8').split('\n')
    } finally {
      closeSync(file)
    }
  }

  #checkUsage(): void {
    for (const daemon of [...this.#world.servers.values(), ...this.#world.agents.values()]) this.usage.look(daemon)
  }

  #report(rule: string, message: string): void {
    this.#world.findings.report(rule, message)
  }
}
