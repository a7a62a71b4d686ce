/** Something that must not be, and during which fault it was seen. */
export interface Finding {
  readonly rule: string
  readonly message: string
  /** Number of the fault, 0 before the first. */
  readonly fault: number
}

const MESSAGE_MAX = 1_000

/** What a run found; the same thing is told once. */
export class Findings {
  readonly all: Finding[] = []
  /** Of the fault that is on. */
  fault = 0
  readonly #seen = new Set<string>()
  readonly #tell: (finding: Finding) => void

  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell
  }

  report(rule: string, text: string): void {
    const message = text.slice(0, MESSAGE_MAX)
    const key = `${rule} ${message}`
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    const finding = { rule, message, fault: this.fault }
    this.all.push(finding)
    this.#tell(finding)
  }
}
