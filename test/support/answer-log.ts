import { request } from 'node:http'
import type { TaskView } from '../../src/model/views.ts'
import type { Drover } from './drover.ts'

const EVERY_MS = 100
const TIMEOUT_MS = 2_000

export interface Sample {
  readonly at: string
  /** Tasks that Drover says are ready and that answer. */
  readonly answering: number
  /** Of those it says are ready before and after the question, the ones that did not answer. */
  readonly silent: readonly string[]
}

export interface Asked {
  readonly workload: string
  readonly port: string
  readonly path: string
}

/** A user that asks every task of a workload all the time, over ports of this machine, and keeps a log of the answers. */
export class AnswerLog {
  readonly samples: Sample[] = []
  /** Revisions of which a task was ever said to be ready. */
  readonly readyRevisions = new Set<string>()
  readonly #drover: Drover
  readonly #asked: Asked
  readonly #over = new AbortController()
  #loop: Promise<void> = Promise.resolve()

  constructor(drover: Drover, asked: Asked) {
    this.#drover = drover
    this.#asked = asked
  }

  start(): void {
    this.#loop = this.#keepAsking()
  }

  async stop(): Promise<void> {
    this.#over.abort()
    await this.#loop
  }

  /** The fewest that answered since then, and what was seen at that moment. */
  fewest(): Sample | undefined {
    return this.samples.reduce<Sample | undefined>(
      (low, one) => (low === undefined || one.answering < low.answering ? one : low),
      undefined,
    )
  }

  async #keepAsking(): Promise<void> {
    while (!this.#over.signal.aborted) {
      await this.#sample()
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    }
  }

  /** All that run are asked, for one may become ready between the question and the second look. */
  async #sample(): Promise<void> {
    const before = await this.#runningTasks()
    const answers = await Promise.all(before.map((task) => this.#answers(task)))
    const after = await this.#runningTasks()
    if (before.length === 0 || after.length === 0) return
    const ready = (tasks: readonly TaskView[]) => new Set(tasks.filter((task) => task.ready).map((task) => task.id))
    const [first, second] = [ready(before), ready(after)]
    for (const { revision } of after.filter(({ id }) => second.has(id))) this.readyRevisions.add(revision)
    const answering = before.filter(({ id }, index) => answers[index] === true && (first.has(id) || second.has(id)))
    const silent = before.filter(({ id }, index) => answers[index] === false && first.has(id) && second.has(id))
    this.samples.push({ at: new Date().toISOString(), answering: answering.length, silent: silent.map((task) => task.id) })
  }

  async #runningTasks(): Promise<TaskView[]> {
    return this.#drover.running(this.#asked.workload)
  }

  #answers({ ports }: TaskView): Promise<boolean> {
    const { port, path } = this.#asked
    return new Promise((resolve) => {
      const asked = request({ host: '127.0.0.1', port: ports[port], path, agent: false, timeout: TIMEOUT_MS }, (response) => {
        resolve(response.statusCode === 200)
        response.destroy()
      })
      asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
      asked.on('error', () => resolve(false))
      asked.end()
    })
  }
}
