import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { GitHttpRequest, GitHttpResponse } from 'isomorphic-git'
import { checkedAnswer } from './answer.ts'
import { GitError } from './git-backend.ts'
import { type Command, ended, gitEnv, keepStderr, notInstalled, sshEnv, start } from './hardened.ts'
import type { RemoteAddress, SshAddress } from './repo-address.ts'
import type { Transport, TransportOptions } from './transport.ts'

type Service = 'git-upload-pack' | 'git-receive-pack'
export type PipeAddress = Exclude<RemoteAddress, { kind: 'http' }>

/** For the remote's shell, the only shell there is: everything between single quotes is literal. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

function sshCommand(address: SshAddress, service: Service): Command {
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ConnectTimeout=15', 'ClearAllForwardings=yes', 'PermitLocalCommand=no']
  const port = address.port === null ? [] : ['-p', String(address.port)]
  const user = address.user === null ? [] : ['-l', address.user]
  const args = [
    '-T',
    ...options.flatMap((option) => ['-o', option]),
    ...port,
    ...user,
    '--',
    address.host,
    `${service} ${quoted(address.path)}`,
  ]
  return { program: 'ssh', args, env: sshEnv() }
}

/** The command that speaks git's protocol on its standard input and output. */
function pipeCommand(address: PipeAddress, service: Service): Command {
  if (address.kind === 'ssh') return sshCommand(address, service)
  const hooks = service === 'git-receive-pack' ? 'hooks-of-the-remote' : 'no-hooks'
  return { program: 'git', args: [service.replace(/^git-/, ''), '--', address.path], env: gitEnv(hooks) }
}

/** Reads pkt-lines up to and with the first flush packet, byte by exact byte, so that the rest stays unread. */
class Advertisement {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest = Buffer.alloc(0)

  constructor(stdout: AsyncIterable<Uint8Array>) {
    this.#chunks = stdout[Symbol.asyncIterator]()
  }

  async read(): Promise<Buffer> {
    const lines: Buffer[] = []
    for (;;) {
      const length = Number.parseInt((await this.#take(4)).toString('latin1'), 16)
      if (!(length === 0 || length >= 4)) throw new GitError('Unreachable', 'the remote does not speak the git protocol')
      if (length === 0) return Buffer.concat([...lines, Buffer.from('0000')])
      const line = await this.#take(length - 4)
      lines.push(Buffer.from(length.toString(16).padStart(4, '0')), line)
    }
  }

  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#rest.length > 0) yield this.#rest
    for (;;) {
      const next = await this.#chunks.next()
      if (next.done === true) return
      yield next.value
    }
  }

  async #take(bytes: number): Promise<Buffer> {
    while (this.#rest.length < bytes) {
      const next = await this.#chunks.next()
      if (next.done === true) throw new GitError('Unreachable', 'the remote ended the connection')
      this.#rest = Buffer.concat([this.#rest, next.value])
    }
    const taken = this.#rest.subarray(0, bytes)
    this.#rest = this.#rest.subarray(bytes)
    return taken
  }
}

interface Conversation {
  readonly child: ChildProcessWithoutNullStreams
  readonly service: Service
  readonly advertisement: Advertisement
  readonly refs: Buffer
  readonly explain: (error: unknown) => Promise<unknown>
}

const DENIED = /permission denied|host key verification failed|authentication failed|too many authentication failures/i

interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly end: ReturnType<typeof ended>
  readonly stderr: () => string
}

/** An early end of the conversation is better told by what the program said on its way out. */
async function explain({ child, end, stderr }: Running, error: unknown): Promise<unknown> {
  if (!(error instanceof GitError) || error.code !== 'Unreachable') return error
  child.stdin.end()
  const { error: notStarted } = await end
  if (notStarted !== null) return notInstalled(child.spawnfile, notStarted)
  const said = stderr()
  return said === '' ? error : new GitError(DENIED.test(said) ? 'AuthFailed' : 'Unreachable', said, { cause: error })
}

function launch(command: Command, signal: AbortSignal): Running {
  signal.throwIfAborted()
  const child = start(command)
  const stop = () => child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  child.once('close', () => signal.removeEventListener('abort', stop))
  // A broken pipe here shows as the end of stdout, which is where it is reported.
  child.stdin.on('error', () => undefined)
  return { child, end: ended(child), stderr: keepStderr(child) }
}

async function converse(address: PipeAddress, service: Service, signal: AbortSignal): Promise<Conversation> {
  const running = launch(pipeCommand(address, service), signal)
  const advertisement = new Advertisement(running.child.stdout)
  try {
    const refs = await advertisement.read()
    return { child: running.child, service, advertisement, refs, explain: (error) => explain(running, error) }
  } catch (error) {
    throw await explain(running, error)
  }
}

async function* advertised(service: Service, refs: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  const title = `# service=${service}\n`
  yield Buffer.concat([Buffer.from(`${(title.length + 4).toString(16).padStart(4, '0')}${title}0000`), refs])
}

async function send(child: ChildProcessWithoutNullStreams, body: GitHttpRequest['body']): Promise<void> {
  for await (const chunk of body ?? []) child.stdin.write(chunk)
  child.stdin.end()
}

const serviceOf = (url: string): Service => (url.endsWith('git-receive-pack') ? 'git-receive-pack' : 'git-upload-pack')

/**
 * An `http` plugin for isomorphic-git over a spawned `git upload-pack`, `git receive-pack` or `ssh`. The GET starts
 * the program and answers with its ref advertisement; the POST goes on in the same conversation.
 */
export function pipeTransport(address: PipeAddress, options: TransportOptions): Transport {
  const failure = { cause: undefined as unknown }
  let current: Conversation | null = null
  const begin = async (service: Service) => {
    current?.child.kill('SIGKILL')
    current = await converse(address, service, options.signal)
    return current
  }
  const respond = (request: GitHttpRequest, kind: string, body: AsyncGenerator<Uint8Array, void, undefined>): GitHttpResponse => ({
    url: request.url,
    ...(request.method === undefined ? {} : { method: request.method }),
    statusCode: 200,
    statusMessage: 'OK',
    headers: { 'content-type': `application/x-${serviceOf(request.url)}-${kind}` },
    body,
  })
  const request = async (asked: GitHttpRequest): Promise<GitHttpResponse> => {
    const service = serviceOf(asked.url)
    if (asked.method !== 'POST') return respond(asked, 'advertisement', advertised(service, (await begin(service)).refs))
    const open = current?.service === service ? current : await begin(service)
    current = null
    await send(open.child, asked.body)
    return respond(
      asked,
      'result',
      checkedAnswer(open.advertisement.rest(), { maxBytes: options.maxBytes, failure, explain: open.explain }),
    )
  }
  return {
    http: { request },
    // isomorphic-git only checks that it looks like http; the plugin knows the real address.
    url: 'http://pipe',
    failure,
    /** A flush is the polite way to want nothing; a program that ignores it is ended with the operation's signal. */
    close: () => {
      current?.child.stdin.end('0000')
      current = null
    },
  }
}
