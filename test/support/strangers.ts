import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { must } from '../../src/lib/must.ts'

/** Another process may be born between the choice of a pid and its use. */
const TRIES = 20

/**
 * Both lead a session with a child in it. A `login` ends when its child does; a `daemon` ends by itself and leaves the
 * child behind, so that its pid is free again while its session is not.
 */
const SCRIPTS = { login: 'sleep 100000 & echo $!; wait', daemon: 'sleep 100000 & echo $!' }
type Kind = keyof typeof SCRIPTS

interface Stranger {
  readonly kind: Kind
  readonly leader: ChildProcess
  readonly child: number
}

/** Processes that have nothing to do with Drover, but get the pids of tasks that are gone; in a pid namespace only. */
export class Strangers {
  readonly #all: Stranger[] = []

  /** True when one has begun with that pid; false when the pid is in use. */
  async take(pid: number, kind: Kind): Promise<boolean> {
    for (let left = TRIES; left > 0 && !existsSync(`/proc/${pid}`); left -= 1) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1))
      const leader = spawn('sh', ['-c', SCRIPTS[kind]], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
      const gone = once(leader, 'exit')
      const [said] = (await once(must(leader.stdout, 'a pipe'), 'data')) as [Buffer]
      const stranger = { kind, leader, child: Number(said) }
      if (kind === 'daemon') await gone
      if (leader.pid === pid) {
        this.#all.push(stranger)
        return true
      }
      process.kill(stranger.child, 'SIGKILL')
      await gone
    }
    return false
  }

  get pids(): number[] {
    return this.#all.map(({ leader }) => must(leader.pid, 'it was started'))
  }

  /** Those of whom somebody has ended a process. */
  get ended(): number[] {
    return this.#all.filter((one) => !lives(one)).map(({ leader }) => must(leader.pid, 'it was started'))
  }
}

function lives({ kind, leader, child }: Stranger): boolean {
  if (kind === 'login') return leader.exitCode === null && leader.signalCode === null
  return existsSync(`/proc/${child}`) && readFileSync(`/proc/${child}/cmdline`, 'utf8') !== ''
}
