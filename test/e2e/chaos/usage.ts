import type { Daemon, DaemonUsage } from './daemon.ts'
import type { Findings } from './findings.ts'

const LIMITS: DaemonUsage = { files: 250, megabytes: 450 }
/**
 * Between the first quiet moments of a process and its last. A server that comes to lead opens connections and a file for
 * each pack of its clone of the repository, up to 50; caches and the heap of Node fill in the first minutes.
 */
const GROWTH: DaemonUsage = { files: 90, megabytes: 120 }
/** Of the first and of the last looks at a process; one that lived for less than both tells nothing of growth. */
const LOOKS = 3

/** What servers and agents use whenever all is quiet: not much, and not ever more. */
export class UsageWatch {
  readonly #findings: Findings
  /** By process. */
  readonly #looks = new Map<string, DaemonUsage[]>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  look(daemon: Daemon): void {
    const usage = daemon.usage()
    if (usage === null) return
    const key = `${daemon.name} (${daemon.pid})`
    const looks = [...(this.#looks.get(key) ?? []), usage]
    this.#looks.set(key, looks)
    for (const what of ['files', 'megabytes'] as const) {
      if (usage[what] > LIMITS[what]) this.#findings.report('BoundedUse', `${key} uses ${Math.round(usage[what])} ${what}`)
      this.#checkGrowth(
        key,
        what,
        looks.map((one) => one[what]),
      )
    }
  }

  /** The most that any process had. */
  get peak(): DaemonUsage {
    const all = [...this.#looks.values()].flat()
    const most = (what: keyof DaemonUsage): number => Math.round(Math.max(0, ...all.map((usage) => usage[what])))
    return { files: most('files'), megabytes: most('megabytes') }
  }

  #checkGrowth(key: string, what: keyof DaemonUsage, amounts: readonly number[]): void {
    if (amounts.length < 2 * LOOKS) return
    const [first, last] = [Math.max(...amounts.slice(0, LOOKS)), Math.min(...amounts.slice(-LOOKS))]
    if (last > first + GROWTH[what])
      this.#findings.report('BoundedUse', `${key} went from ${Math.round(first)} to ${Math.round(last)} ${what}`)
  }
}
