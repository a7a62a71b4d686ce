import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** A real server whose answers the test decides, path by path; anything else is 404. */
export interface FileServer {
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string
  readonly port: number
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Bytes to serve, or what to do. */
  serve(path: string, answer: Buffer | string | Answer): void
  close(): Promise<void>
}

export interface FileServerOptions {
  /** Serves https with it. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

export async function startFileServer({ tls }: FileServerOptions = {}): Promise<FileServer> {
  const answers = new Map<string, Answer>()
  const asked: string[] = []
  const listen: RequestListener = (request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const answer = answers.get(path) ?? ((none) => none.writeHead(404).end('not found'))
    answer(response, request)
  }
  const server = tls === undefined ? createServer(listen) : createTlsServer(tls, listen)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    asked,
    serve(path, answer) {
      answers.set(path, typeof answer === 'function' ? answer : (response) => response.end(answer))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export const sha256 = (content: Buffer | string): string => createHash('sha256').update(content).digest('hex')
