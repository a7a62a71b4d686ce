import type { HttpClient } from 'isomorphic-git'
import type { Failure } from './answer.ts'

export interface TransportOptions {
  /** Ends the operation and everything it has started. */
  readonly signal: AbortSignal
  /** Most bytes of one answer. */
  readonly maxBytes: number
  /** Longest silence of the other side; only HTTP can tell it from work. */
  readonly silenceMs: number
}

/** The way to a remote for one operation of isomorphic-git. */
export interface Transport {
  readonly http: HttpClient
  readonly url: string
  readonly failure: Failure
  close(): void
}
