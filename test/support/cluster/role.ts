import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { waitUntil } from '../wait-until.ts'

/** The built program, as users run it. */
const MAIN = resolve('dist/src/main.js')

/** One `drover server` or `drover agent` as a process, which may be started again with the same arguments. */
export class Role {
  readonly name: string
  /** What is run at the next start: another build stands for another version. */
  program = MAIN
  readonly #args: readonly string[]
  #child: ChildProcess | null = null
  log = ''
  isFrozen = false

  constructor(name: string, args: readonly string[]) {
    this.name = name
    this.#args = args
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Further arguments are for this start alone. */
  launch(...more: readonly string[]): void {
    const env = { ...process.env, NO_COLOR: '1', DROVER_LOG: 'info', DOCKER_HOST: 'unix:///nowhere/docker.sock' }
    const child = spawn(process.execPath, [this.program, ...this.#args, ...more], { stdio: ['ignore', 'ignore', 'pipe'], env })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString()).slice(-200_000)
    })
    this.#child = child
    this.isFrozen = false
  }

  /** Waits for a line of its log. */
  async says(pattern: RegExp, timeoutMs = 60_000): Promise<void> {
    await waitUntil(() => pattern.test(this.log), { timeoutMs }).catch((cause: unknown) => {
      throw new Error(`${this.name} did not say ${pattern}\n${this.log.slice(-4000)}`, { cause })
    })
  }

  /** Resolves with the exit code once it has ended by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child
    if (child === null) throw new Error(`${this.name} was not launched`)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === null) return
    if (child.exitCode === null && child.signalCode === null) {
      // One that was stopped takes no other signal.
      child.kill('SIGCONT')
      child.kill(signal)
      await once(child, 'exit')
    }
    this.#child = null
  }

  /** SIGSTOP; resolves when each of its threads has stopped. */
  async freeze(): Promise<void> {
    this.isFrozen = true
    this.#child?.kill('SIGSTOP')
    await waitUntil(async () => (await threadStates(this.pid)).every((state) => state === 'T'))
  }

  thaw(): void {
    this.isFrozen = false
    this.#child?.kill('SIGCONT')
  }
}

/** One letter a thread, from field 3 of Linux' stat. */
async function threadStates(pid: number): Promise<string[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')))
  return stats.map((stat) => stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3))
}
