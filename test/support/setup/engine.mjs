import { request } from 'node:http'

/**
 * One call to a Docker Engine on a unix socket: status and whole body.
 * @throws Error when it cannot be reached or does not answer in `timeoutMs` (default 30 s)
 */
export function callEngine({ socketPath, method = 'GET', path, body, timeoutMs = 30_000 }) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/x-tar', 'content-length': body.length }
    const call = request({ socketPath, method, path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }))
    })
    call.on('error', reject)
    call.end(body)
  })
}

/** True when an engine answers on this socket. */
export async function engineAnswers(socketPath) {
  return callEngine({ socketPath, path: '/_ping', timeoutMs: 5_000 }).then(
    (answer) => answer.status === 200,
    () => false,
  )
}
