import type { HttpClient } from 'isomorphic-git'
import type { Failure } from './answer.ts'

export interface TransportOptions {
  /** Ends the operation and everything it has started. */
  readonly signal: AbortSignal
  /** Most bytes of one answer. */
  readonly maxBytes: number
}

/** The way to a remote for one operation of isomorphic-git. */
export interface Transport {
  readonly http: HttpClient
  readonly url: string
  readonly failure: Failure
  close(): void
}
