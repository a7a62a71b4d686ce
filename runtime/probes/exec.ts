import type { ProbeResult } from '../driver.ts'
import { failed, PASSED } from './result.ts'

/** What is shown of a command's output, and what is kept while it may still be blank; characters. */
const SHOWN = 200
const KEPT = 4_096

/** The first line of an output that is not blank; the rest is thrown away as it comes. */
export interface FirstLine {
  add(text: string): void
  readonly text: string
}

export function createFirstLine(): FirstLine {
  let kept = ''
  return {
    add(text) {
      if (kept.length < KEPT) kept = (kept + text).trimStart().slice(0, KEPT)
    },
    get text() {
      const [line = ''] = kept.split('\n', 1)
      return line.trim().slice(0, SHOWN)
    },
  }
}

export interface CommandEnd {
  readonly exitCode: number | null
  readonly signal: string | null
}

/** What the end of a probe's command means. */
export function execResult({ exitCode, signal }: CommandEnd, output: string): ProbeResult {
  if (exitCode === 0) return PASSED
  const end = exitCode === null ? `killed by ${signal ?? 'an unknown signal'}` : `exit code ${exitCode}`
  return failed(output === '' ? end : `${end}: ${output}`)
}
