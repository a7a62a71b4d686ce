import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface GitHttpServer {
  /** `http://127.0.0.1:port`, to which a repository's folder name is added. */
  readonly url: string
  /** `GET /x/info/refs`, in order. */
  readonly requests: readonly string[]
  close(): Promise<void>
}

export interface GitHttpOptions {
  /** Folder whose repositories are served. */
  readonly root: string
  /** `user:password`; without it everybody may read and write. */
  readonly auth?: string
  /** Called before a request is answered, with `GET /x/info/refs`. */
  readonly onRequest?: (request: string) => void
  /** Address to listen on; the loopback unless told. */
  readonly host?: string
  /** Called before a request is served; when it has answered by itself, or never will, it resolves with that. */
  readonly intercept?: (response: ServerResponse) => Promise<'Serve' | 'Taken'>
}

function environment(request: IncomingMessage, root: string): NodeJS.ProcessEnv {
  const url = new URL(request.url ?? '/', 'http://server')
  return {
    PATH: process.env.PATH,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers['content-type'] ?? '',
    CONTENT_LENGTH: request.headers['content-length'],
    GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
  }
}

/** Turns the CGI answer (headers, empty line, body) into an HTTP one. */
async function answer(child: ChildProcessWithoutNullStreams, response: ServerResponse): Promise<void> {
  let head = Buffer.alloc(0)
  for await (const chunk of child.stdout) {
    if (response.headersSent) {
      response.write(chunk)
      continue
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) continue
    const lines = head.toString('utf8', 0, end).split('\r\n')
    const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]))
    response.writeHead(Number.parseInt(headers.Status ?? '200', 10), headers)
    response.write(head.subarray(end + 4))
  }
  response.end()
}

async function serve({ root, intercept }: GitHttpOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (intercept !== undefined && (await intercept(response)) === 'Taken') return
  const child = spawn('git', ['http-backend'], { env: environment(request, root) })
  child.stdin.on('error', () => undefined)
  child.stderr.resume()
  request.pipe(child.stdin)
  await answer(child, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
}

/** Serves repositories over smart HTTP, on the loopback unless told. */
export async function startGitHttp(options: GitHttpOptions): Promise<GitHttpServer> {
  const requests: string[] = []
  const expected = options.auth === undefined ? undefined : `Basic ${Buffer.from(options.auth).toString('base64')}`
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`
    requests.push(line)
    options.onRequest?.(line)
    if (expected !== undefined && request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm=git' }).end()
      return
    }
    void serve(options, request, response)
  })
  const host = options.host ?? '127.0.0.1'
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host}:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
