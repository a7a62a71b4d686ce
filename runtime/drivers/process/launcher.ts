import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Logger } from '../../../src/lib/log.ts'

/**
 * Reads attempt directories, one a line, and starts the shim of each in a session of its own.
 * `setsid --fork` in the foreground: a background job (`&`) would make the tasks ignore INT and QUIT.
 */
const LOOP = 'while IFS= read -r d; do setsid --fork sh "$d/run.sh" < /dev/null > /dev/null 2>&1; done'

/** Spawning from a Node heap costs 0.03 ms a megabyte, so one small shell is started early and does it for us. */
export class Launcher {
  readonly #log: Logger
  readonly #path: string
  #shell: ChildProcess | null = null

  constructor(log: Logger, path: string) {
    this.#log = log
    this.#path = path
  }

  /** Starts the shell unless it runs; a request does so too, but from a heap that may have grown. */
  warm(): void {
    this.#shell ??= this.#spawn()
  }

  /** May be lost with the shell; the shim's claim makes a repeat harmless. `dir` must not hold a newline. */
  request(dir: string): void {
    this.warm()
    this.#shell?.stdin?.write(`${dir}\n`)
  }

  /** The tasks go on: they are nobody's children. Resolves when the shell has done what it was asked for. */
  async close(): Promise<void> {
    const shell = this.#shell
    if (shell === null) return
    // It was let go of so that it keeps no process alive; now it is what we wait for.
    shell.ref()
    await new Promise<void>((resolve) => {
      for (const end of ['close', 'error']) shell.once(end, () => resolve())
      shell.stdin?.end()
    })
  }

  #spawn(): ChildProcess {
    const shell = spawn('sh', ['-c', LOOP], { cwd: '/', detached: true, env: { PATH: this.#path }, stdio: ['pipe', 'ignore', 'ignore'] })
    const gone = (fields: object) => {
      if (this.#shell === shell) this.#shell = null
      this.#log.debug(fields, 'process launcher ended')
    }
    shell.once('close', (code, signal) => gone({ code, signal }))
    shell.once('error', (error) => gone({ error: error.message }))
    shell.stdin?.on('error', (error) => this.#log.debug({ error: error.message }, 'process launcher does not listen'))
    shell.unref()
    if (shell.stdin instanceof Socket) shell.stdin.unref()
    return shell
  }
}
