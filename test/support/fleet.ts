import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from './compile.ts'
import type { Answer, Ended, Killed, Order } from './fleet/orders.ts'
import { inPidNamespace } from './pid-namespace.ts'

export interface FleetOptions {
  /** Each agent has its state directory in it, by its name. */
  readonly root: string
  /** Of the control plane. */
  readonly url: string
  readonly names: readonly string[]
}

/** Agents as processes of their own, together in one pid namespace; they have the label `fleet: yes`. */
export class Fleet {
  log = ''
  readonly #machine: ChildProcess
  readonly #compiled: string
  readonly #over: Promise<never>

  static async start({ root, url, names }: FleetOptions): Promise<Fleet> {
    const compiled = await compile(new URL('./fleet/machine.ts', import.meta.url), new URL('./fleet/agent.ts', import.meta.url))
    const { program, args } = inPidNamespace([process.execPath, join(compiled, 'test/support/fleet/machine.js'), root, url, ...names])
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { ...process.env, DROVER_LOG: 'info' } })
    const fleet = new Fleet(child, compiled)
    await fleet.#answer()
    return fleet
  }

  private constructor(machine: ChildProcess, compiled: string) {
    this.#machine = machine
    this.#compiled = compiled
    this.#over = once(machine, 'exit').then(([code]) => {
      throw new Error(`the machine ended with ${code}\n${this.log.slice(-4000)}`)
    })
    this.#over.catch(() => undefined)
    machine.stderr?.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString()).slice(-200_000)
    })
  }

  /** SIGKILL; it is started again before this resolves. */
  kill(agent: string): Promise<Killed> {
    return this.#ask({ do: 'kill', agent }) as Promise<Killed>
  }

  /** Ends the agents; what runs goes on. */
  end(): Promise<Ended> {
    return this.#ask({ do: 'end' }) as Promise<Ended>
  }

  /** Kills all that is in the namespace. */
  async destroy(): Promise<void> {
    this.#machine.kill('SIGKILL')
    await this.#over.catch(() => undefined)
    rmSync(this.#compiled, { recursive: true, force: true })
  }

  async #ask(order: Order): Promise<Answer> {
    const answer = this.#answer()
    this.#machine.send(order)
    return await answer
  }

  async #answer(): Promise<Answer> {
    const [answer] = await Promise.race([once(this.#machine, 'message'), this.#over])
    return answer
  }
}
