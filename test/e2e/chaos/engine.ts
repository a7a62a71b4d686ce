import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { callEngine, engineAnswers } from '../../support/setup/engine.mjs'
import { ensureExampleImage } from '../../support/setup/ensure-images.mjs'
import { waitUntil } from '../../support/wait-until.ts'
import { Daemon } from './daemon.ts'
import type { EtcdPlace } from './etcd-cluster.ts'
import { dockerCgroup, type MachineName } from './run-folder.ts'

const ASK_MS = 5_000
const START = { timeoutMs: 60_000 }

export interface EngineOptions extends EtcdPlace {
  readonly machine: MachineName
  readonly liveRestore: 'Yes' | 'No'
}

/** The Docker engine of one machine: no bridge, no firewall rules, nothing shared with another. */
export class Engine {
  readonly machine: MachineName
  readonly socketPath: string
  readonly liveRestore: 'Yes' | 'No'
  readonly daemon: Daemon
  readonly #folder: string

  constructor({ root, network, findings, machine, liveRestore }: EngineOptions) {
    this.machine = machine
    this.liveRestore = liveRestore
    this.#folder = join(root, machine, 'docker')
    this.socketPath = join(this.#folder, 'docker.sock')
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    const at = (name: string): string => join(this.#folder, name)
    const places = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('docker.pid'), '-H', `unix://${this.socketPath}`]
    const own = ['--bridge=none', '--iptables=false', '--cgroup-parent', dockerCgroup(root, machine)]
    const command = network.on(machine, ['dockerd', ...places, ...own, ...(liveRestore === 'Yes' ? ['--live-restore'] : [])])
    this.daemon = new Daemon({ name: `dockerd ${machine}`, command, logFile: join(root, 'logs', `${machine}.dockerd`), findings })
  }

  /** Returns when it answers, with the example image in it. */
  async start(): Promise<void> {
    if (this.daemon.runs) return
    // It refuses to start when any process at all has the number in the file that a killed one left.
    rmSync(join(this.#folder, 'docker.pid'), { force: true })
    this.daemon.start()
    await waitUntil(() => engineAnswers(this.socketPath), START)
    await ensureExampleImage(this.socketPath)
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await this.daemon.end(signal)
    await waitUntil(() => !this.#containerdRuns(), START)
  }

  /** Tasks whose containers run. @throws Error when it does not answer. */
  async tasks(): Promise<string[]> {
    const { text } = await callEngine({ socketPath: this.socketPath, path: '/containers/json', timeoutMs: ASK_MS })
    const containers: readonly { readonly Labels: Readonly<Record<string, string>> }[] = JSON.parse(text)
    return containers.flatMap(({ Labels }) => Labels['drover.dev/task'] ?? [])
  }

  /** It dies with its dockerd, a moment later; a new dockerd would wait 15 s for the dying one. */
  #containerdRuns(): boolean {
    const file = join(this.#folder, 'exec/containerd/containerd.pid')
    const pid = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
    return pid !== '' && existsSync(`/proc/${pid}`)
  }
}
