import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { must } from '../../../src/lib/must.ts'
import type { Findings } from './findings.ts'

export interface DaemonOptions {
  readonly name: string
  /** Program and arguments; it must not fork away. */
  readonly command: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Everything it says, of every life of it. */
  readonly logFile: string
  readonly findings: Findings
}

export interface DaemonUsage {
  /** Open. */
  readonly files: number
  /** Resident. */
  readonly megabytes: number
}

const END_DEADLINE_MS = 30_000

/** A program of a machine that lives until the test ends it; when it ends by itself, that is a finding. */
export class Daemon {
  readonly name: string
  readonly logFile: string
  readonly #options: DaemonOptions
  #child: ChildProcess | null = null
  #frozen = false

  constructor(options: DaemonOptions) {
    this.#options = options
    this.name = options.name
    this.logFile = options.logFile
  }

  get pid(): number {
    return must(this.#child?.pid, `${this.name} runs`)
  }

  get runs(): boolean {
    return this.#child !== null
  }

  start(): void {
    if (this.#child !== null) throw new Error(`${this.name} runs already`)
    const { command, env, logFile, findings } = this.#options
    const log = openSync(logFile, 'a')
    const [program = '', ...args] = command
    const child = spawn(program, args, { stdio: ['ignore', log, log], env: env ?? process.env })
    closeSync(log)
    this.#child = child
    child.once('error', (error) => findings.report('StaysUp', `${this.name} was not started: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (this.#child !== child) return
      this.#child = null
      findings.report('StaysUp', `${this.name} ended by itself with ${code ?? signal}: ${logEnd(logFile)}`)
    })
  }

  /** For one that may be up already. */
  revive(): void {
    if (this.#child === null) this.start()
  }

  /** Resolves when it is gone; one that is down already is left so. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === null) return
    this.#child = null
    const gone = once(child, 'exit')
    child.kill(signal)
    this.thaw(child)
    const patience = setTimeout(() => {
      this.#options.findings.report('EndsWhenTold', `${this.name} was still there ${END_DEADLINE_MS / 1000} s after ${signal}`)
      child.kill('SIGKILL')
    }, END_DEADLINE_MS)
    await gone
    clearTimeout(patience)
  }

  /** It keeps its connections and answers nothing. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
    this.#frozen = true
  }

  thaw(child: ChildProcess | null = this.#child): void {
    if (this.#frozen) child?.kill('SIGCONT')
    this.#frozen = false
  }

  /** What it uses now; null while it is down. */
  usage(): DaemonUsage | null {
    if (this.#child?.pid === undefined) return null
    const { pid } = this.#child
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return { files: readdirSync(`/proc/${pid}/fd`).length, megabytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024 }
  }
}

const logEnd = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-4).join(' | ')
