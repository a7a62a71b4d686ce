import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { type LedgerEntry, readLedger } from '../../support/short-tasks.ts'
import type { Toll } from './fault.ts'
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
    this.#checkStarts(ledger)
    this.#checkEnds(ledger)
    this.#checkExclusive(ledger)
    await this.#checkKept(toll)
    this.#checkBystanders()
    this.#checkLogs()
    this.#checkUsage()
  }

  /** INV-6. */
  #checkStarts(ledger: readonly LedgerEntry[]): void {
    for (const { task, attempt, starts } of ledger)
      if (starts !== 1) this.#report('OneStartAnAttempt', `${task} ${attempt} was started ${starts} times`)
    // An attempt that a crash kept from starting is followed by another; one that has run is not.
    const services = ledger.filter(({ task }) => isService(task))
    for (const { task, attempt } of services)
      if (services.some((other) => other.task === task && other.attempt < attempt))
        this.#report('NothingRestarts', `${task} was started again, as attempt ${attempt}`)
  }

  /** INV-7 and the truth of what is told: whoever wrote that it ended has one record, of that end. */
  #checkEnds(ledger: readonly LedgerEntry[]): void {
    const { checks } = this.#world
    for (const { task, attempt, exitCode } of ledger.filter(({ task }) => !isService(task))) {
      const end = checks.endOf(task, attempt)
      if (end === undefined) this.#report('OneTerminalRecord', `nothing was recorded of the end of ${task} ${attempt}`)
      else if (exitCode !== null && end.exitCode !== exitCode)
        this.#report('ExitIsTrue', `${task} ${attempt} ended with ${exitCode}, and ${end.exitCode} (${end.reason}) was recorded`)
    }
  }

  /** INV-8. An attempt whose end nobody wrote is judged by its record alone. */
  #checkExclusive(ledger: readonly LedgerEntry[]): void {
    const solo = ledger.filter(({ task }) => task.startsWith('solo-')).toSorted((a, b) => a.startedAt - b.startedAt)
    for (const slot of new Set(solo.map((entry) => entry.slot))) {
      const ofSlot = solo.filter((entry) => entry.slot === slot)
      for (const [index, { task, attempt, endedAt }] of ofSlot.entries()) {
        const next = ofSlot[index + 1]
        if (next !== undefined && endedAt !== null && next.startedAt < endedAt)
          this.#report('Exclusive', `${task} ${attempt} ran until ${endedAt}, and ${next.task} from ${next.startedAt}`)
      }
    }
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

const isService = (task: string): boolean => /^(steady|rolling)-/.test(task)
