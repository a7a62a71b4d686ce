import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { portOf } from './etcd.ts'

/** A TCP hop on loopback whose faults a test controls. */
export interface TcpProxy {
  /** `127.0.0.1:port`. */
  readonly host: string
  /** Closes all connections; new ones pass. */
  cut(): void
  /** Keeps connections open and accepts new ones, but from now on passes nothing. */
  blackhole(): void
  /** Passes requests, but drops what comes back, once a request has held `text`. */
  dropRepliesAfter(text: string): void
  /** Passes everything on new connections again; those that lost bytes are closed. */
  heal(): void
  /** Bytes that came back from the target so far, passed on or not. */
  received(): number
  /** Connections so far. */
  accepted(): number
  close(): Promise<void>
}

type Mode = 'pass' | 'blackhole' | 'dropReplies'

/** @param target `host:port` */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const [targetHost = '', targetPort = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let mode: Mode = 'pass'
  let received = 0
  let accepted = 0
  let trigger: string | null = null

  const track = (socket: Socket, other: Socket) => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
    // A cut connection is what this proxy is for; 'close' follows every error.
    socket.on('error', () => socket.destroy())
  }
  const server = createServer((client) => {
    accepted += 1
    const upstream = connect(Number(targetPort), targetHost)
    track(client, upstream)
    track(upstream, client)
    client.on('data', (bytes: Buffer) => {
      if (trigger !== null && bytes.includes(trigger)) mode = 'dropReplies'
      if (mode !== 'blackhole') upstream.write(bytes)
    })
    upstream.on('data', (bytes: Buffer) => {
      received += bytes.length
      if (mode === 'pass') client.write(bytes)
    })
  })
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${portOf(server)}`,
    cut,
    blackhole: () => {
      mode = 'blackhole'
    },
    dropRepliesAfter: (text) => {
      trigger = text
    },
    heal: () => {
      if (mode !== 'pass') cut()
      mode = 'pass'
      trigger = null
    },
    received: () => received,
    accepted: () => accepted,
    close: async () => {
      cut()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
