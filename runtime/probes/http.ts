import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { ProbeCheck } from '../../src/model/probe.ts'
import type { ProbeResult } from '../driver.ts'
import { authority, bareHost, failed, failureText, PASSED } from './result.ts'

export type HttpCheck = Extract<ProbeCheck, { type: 'http' }>

/**
 * Asks once: a GET on a connection of its own passes with 200 to 399, and no certificate is checked, as in Kubernetes.
 * Unlike there a redirect is not followed, also to the same host: it is an answer. The body is not read.
 */
export async function httpProbe(check: HttpCheck, host: string, signal: AbortSignal): Promise<ProbeResult> {
  const url = `${check.scheme.toLowerCase()}://${authority(host, check.port)}${check.path}`
  try {
    const status = await statusOf(check, host, signal)
    return status >= 200 && status < 400 ? PASSED : failed(`${url}: status ${status}`)
  } catch (error) {
    return failed(`${url}: ${failureText(error, signal)}`)
  }
}

/** Rejects with whatever is wrong, also with headers and paths that no request can carry. */
function statusOf(check: HttpCheck, host: string, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const address = { host: bareHost(host), port: check.port, path: check.path }
    const options = { ...address, headers: headersOf(check), agent: false, rejectUnauthorized: false, signal }
    const answered = (response: IncomingMessage): void => {
      resolve(response.statusCode ?? 0)
      response.destroy()
    }
    const request = check.scheme === 'HTTPS' ? httpsRequest(options, answered) : httpRequest(options, answered)
    request.on('error', reject)
    request.end()
  })
}

/** A name that is given twice is sent twice. */
function headersOf({ headers }: HttpCheck): Record<string, string | string[]> {
  const sent: Record<string, string | string[]> = { 'user-agent': 'drover-probe', accept: '*/*' }
  const given = new Map<string, string[]>()
  for (const { name, value } of headers) given.set(name.toLowerCase(), [...(given.get(name.toLowerCase()) ?? []), value])
  for (const [name, [first = '', ...more]] of given) sent[name] = more.length === 0 ? first : [first, ...more]
  return sent
}
