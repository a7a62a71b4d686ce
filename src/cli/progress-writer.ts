import type { WorkloadView } from '../model/views.ts'
import type { CliDeps } from './deps.ts'
import type { Colors } from './output/colors.ts'
import { type Canvas, frameOf, isSettled, keyOf, progressLine, stateOf } from './progress.ts'

/** Shows on stderr how workloads come along while something is waited for. */
export interface Progress {
  /** What is so now. */
  show(views: readonly WorkloadView[]): void
  /** Some time has passed. */
  tick(): void
  /** It is over: what is shown stays. */
  end(views: readonly WorkloadView[]): void
}

export type ProgressDeps = Pick<CliDeps, 'stderr' | 'isTTY' | 'clock' | 'env'>

export function progressOn(deps: ProgressDeps, colors: Colors): Progress {
  return deps.isTTY.stderr && deps.env.TERM !== 'dumb' ? new Redrawn(deps, colors) : new Logged(deps)
}

/** For a size that the terminal does not tell. */
const SIZE = { columns: 80, rows: 24 }

/** Lines that are drawn again in their place. */
class Redrawn implements Progress {
  readonly #deps: ProgressDeps
  readonly #colors: Colors
  #views: readonly WorkloadView[] = []
  #drawn: readonly string[] = []
  constructor(deps: ProgressDeps, colors: Colors) {
    this.#deps = deps
    this.#colors = colors
  }

  show(views: readonly WorkloadView[]): void {
    this.#views = views
    this.tick()
  }

  tick(): void {
    const lines = frameOf(this.#views, this.#canvas())
    if (lines.join('\n') === this.#drawn.join('\n')) return
    const back = this.#drawn.length === 0 ? '' : `\r\u001b[${this.#drawn.length}A\u001b[J`
    this.#deps.stderr.write(`${back}${lines.map((line) => `${line}\n`).join('')}`)
    this.#drawn = lines
  }

  /** What was over at the first look leaves nothing behind. */
  end(views: readonly WorkloadView[]): void {
    if (this.#drawn.length > 0) this.show(views)
  }

  #canvas(): Canvas {
    const { columns = SIZE.columns, rows = SIZE.rows } = this.#deps.stderr
    return { columns, rows, colors: this.#colors, now: this.#deps.clock.now() }
  }
}

/** A workload that goes to and fro gets a line no more often than this, in milliseconds. */
const QUIET_MS = 5_000
/** Lines of one look; a log of hundreds of workloads would hide what matters. */
const AT_ONCE = 10

/** One line when the state of a workload changes. */
class Logged implements Progress {
  readonly #deps: ProgressDeps
  #views: readonly WorkloadView[] = []
  readonly #said = new Map<string, { readonly state: string; readonly at: number }>()
  constructor(deps: ProgressDeps) {
    this.#deps = deps
  }

  show(views: readonly WorkloadView[]): void {
    this.#views = views
    this.tick()
  }

  tick(): void {
    const now = this.#deps.clock.monotonic()
    const fresh = this.#views.filter((view) => this.#isNews(view, now))
    for (const view of fresh) this.#said.set(keyOf(view), { state: stateOf(view), at: now })
    for (const view of fresh.slice(0, AT_ONCE)) this.#deps.stderr.write(`${progressLine(view)}\n`)
    if (fresh.length > AT_ONCE) this.#deps.stderr.write(`... and ${fresh.length - AT_ONCE} more workloads changed\n`)
  }

  /** The verdict says it. */
  end(): void {
    this.#views = []
  }

  /** What is well from the beginning is none. */
  #isNews(view: WorkloadView, now: number): boolean {
    const said = this.#said.get(keyOf(view))
    if (said === undefined) return !isSettled(view)
    return said.state !== stateOf(view) && now - said.at >= QUIET_MS
  }
}
