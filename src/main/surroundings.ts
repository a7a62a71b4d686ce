import type { Logger } from '../lib/log.ts'

export interface Surroundings {
  readonly log: Logger
  readonly version: string
  readonly dockerSocket: string
  /** Of this process; where SOPS looks for age keys too. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** For people; everything but data. */
  readonly say: (line: string) => void
}
