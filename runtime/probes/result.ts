import { messageOf } from '../../src/lib/errors.ts'
import type { ProbeResult } from '../driver.ts'

export const PASSED: ProbeResult = { passed: true }
export const TIMED_OUT = 'timed out'

export const failed = (message: string): ProbeResult => ({ passed: false, message })

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  ETIMEDOUT: TIMED_OUT,
}

/** Why a connection failed, in words for people. */
export function failureText(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return TIMED_OUT
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return WORDS[code] ?? messageOf(error)
}

/** An IPv6 address as sockets take it, however the manifest wrote it. */
export const bareHost = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

/** `host:port` for people and URLs. */
export function authority(host: string, port: number): string {
  const bare = bareHost(host)
  return bare.includes(':') ? `[${bare}]:${port}` : `${bare}:${port}`
}
