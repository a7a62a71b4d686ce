import { connect } from 'node:net'
import type { ProbeResult } from '../driver.ts'
import { authority, bareHost, failed, failureText, PASSED } from './result.ts'

/** Passes when the port takes a connection, which is given up at once. */
export async function tcpProbe(host: string, port: number, signal: AbortSignal): Promise<ProbeResult> {
  try {
    await connection(bareHost(host), port, signal)
    return PASSED
  } catch (error) {
    return failed(`tcp ${authority(host, port)}: ${failureText(error, signal)}`)
  }
}

function connection(host: string, port: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect({ host, port })
    const onAbort = (): void => void socket.destroy(new Error('aborted'))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('connect', () => {
      resolve()
      socket.destroy()
    })
    socket.once('error', reject)
    socket.once('close', () => signal.removeEventListener('abort', onAbort))
  })
}
