import { Agent, type Dispatcher, fetch, type Response } from 'undici'
import type { AgentView, AppView, TaskView } from '../../../src/model/views.ts'

const APP = 'demo'
const DEADLINE_MS = 3_000
const HOPS = 3

export interface ApiOptions {
  /** Of every server. */
  readonly urls: readonly string[]
  readonly headers: Readonly<Record<string, string>>
  /** PEM; null where there is no TLS. */
  readonly roots: string | null
}

interface Asked {
  readonly method?: 'POST'
  readonly body?: string
}

/** What a user sees of the cluster, asked of whichever server answers. */
export class Api {
  /** Base URL of the server that answered last: the leader. */
  leader: string | null = null
  readonly #options: ApiOptions
  readonly #dispatcher: Dispatcher

  constructor(options: ApiOptions) {
    this.#options = options
    // No connection outlives a request: one that a fault has cut would be found out by the next.
    this.#dispatcher = new Agent({ pipelining: 0, ...(options.roots === null ? {} : { connect: { ca: options.roots } }) })
  }

  app = (): Promise<AppView> => this.#ask<AppView>(`apps/${APP}`)
  tasks = async (): Promise<TaskView[]> => (await this.#ask<{ items: TaskView[] }>('tasks')).items
  agents = async (): Promise<AgentView[]> => (await this.#ask<{ items: AgentView[] }>('agents')).items

  /** A token for so many machines. @throws Error when no server has an answer. */
  async mint(kind: 'agent' | 'server', uses: number): Promise<string> {
    const body = JSON.stringify({ kind, uses, actor: 'chaos' })
    const { text } = await this.#ask<{ text: string }>('tokens', { method: 'POST', body })
    return text
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy()
  }

  async #ask<T>(path: string, request: Asked = {}): Promise<T> {
    const failures: string[] = []
    const others = this.#options.urls.filter((url) => url !== this.leader)
    for (const url of this.leader === null ? others : [this.leader, ...others]) {
      try {
        const response = await this.#send(new URL(`/api/v1/${path}`, url), request)
        if (response.ok) return (await response.json()) as T
        failures.push(`${url}: ${response.status} ${(await response.text()).slice(0, 200)}`)
      } catch (error) {
        failures.push(`${url}: ${error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error)}`)
      }
    }
    throw new Error(`no server answers: ${failures.join('; ')}`)
  }

  async #send(url: URL, request: Asked, hops = HOPS): Promise<Response> {
    const headers = { 'content-type': 'application/json', ...this.#options.headers }
    const options = { ...request, headers, dispatcher: this.#dispatcher, redirect: 'manual' as const }
    const response = await fetch(url, { ...options, signal: AbortSignal.timeout(DEADLINE_MS) })
    const location = response.headers.get('location')
    if (response.status === 307 && location !== null && hops > 0) return this.#send(new URL(location, url), request, hops - 1)
    if (response.ok) this.leader = url.origin
    return response
  }
}
