import { existsSync } from 'node:fs'
import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDockerd, removeDaemonFolder, startDaemon, stopDaemon } from './setup/dockerd.mjs'
import { emptyEngine } from './setup/ensure-docker.mjs'
import { ensureExampleImage } from './setup/ensure-images.mjs'
import { ensurePrograms } from './setup/install.mjs'
import { waitUntil } from './wait-until.ts'

/** A daemon for one test file, to be ill-treated. It touches neither firewall nor bridges: host network only. */
export interface PrivateDocker {
  readonly socketPath: string
  /** Of the daemon that runs now, or ran last. */
  readonly pid: number
  /** kill -9; its containers run on. */
  kill(): Promise<void>
  /** SIGTERM, and waits for its end: it stops its containers, unless it was started with live-restore. */
  terminate(): Promise<void>
  /** Starts it again on the same data; returns when it answers. */
  start(): Promise<void>
  /** Stops the process in its tracks (SIGSTOP): connections stay open, nothing is answered. */
  freeze(): void
  thaw(): void
  /** Ends it with its containers and removes everything. */
  destroy(): Promise<void>
}

/** Starts one with the example image in it. `args` go to dockerd, such as `--live-restore`. */
export async function startPrivateDocker(args: readonly string[] = []): Promise<PrivateDocker> {
  const { dockerd } = await ensurePrograms({ programs: ['dockerd', 'iptables'], packages: ['docker.io', 'iptables'] })
  const directory = await mkdtemp(join(tmpdir(), 'drover-dockerd-'))
  const socketPath = join(directory, 'docker.sock')
  const launch = (): Promise<number> => startDaemon({ dockerd, directory, args: ['--iptables=false', ...args] })
  let pid = await launch()
  await ensureExampleImage(socketPath)

  /** Its containerd dies with it, a moment later; a new daemon would wait 15 s for the dying one. */
  const ended = async (): Promise<boolean> => {
    const containerd = await readFile(join(directory, 'exec/containerd/containerd.pid'), 'utf8').catch(() => '')
    return !(await isDockerd(pid)) && (containerd === '' || !existsSync(`/proc/${containerd.trim()}`))
  }
  const gone = (): Promise<void> => waitUntil(ended, { timeoutMs: 30_000 })
  const start = async (): Promise<void> => {
    pid = await launch()
  }
  return {
    socketPath,
    get pid() {
      return pid
    },
    async kill() {
      process.kill(pid, 'SIGKILL')
      await gone()
    },
    terminate: () => stopDaemon(pid),
    start,
    freeze: () => void process.kill(pid, 'SIGSTOP'),
    thaw: () => void process.kill(pid, 'SIGCONT'),
    async destroy() {
      if (await isDockerd(pid)) process.kill(pid, 'SIGCONT')
      // What a killed daemon left running is found and ended by its successor.
      else await start()
      await emptyEngine(socketPath)
      await stopDaemon(pid)
      await removeDaemonFolder(directory)
    },
  }
}
