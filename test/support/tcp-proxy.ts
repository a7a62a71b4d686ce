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
  /** Passes requests, but drops what comes back. */
  dropReplies(): void
  /** Passes everything on new connections again; those that lost bytes are closed. */
  heal(): void
  /** Bytes that came back from the target so far, passed on or not. */
  received(): number
  close(): Promise<void>
}

type Mode = 'pass' | 'blackhole' | 'dropReplies'

/** @param target `host:port` */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const [targetHost = '', targetPort = ''] = target.split(':')
  const sockets = new Set<Socket>()
  let mode: Mode = 'pass'
  let received = 0

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
    const upstream = connect(Number(targetPort), targetHost)
    track(client, upstream)
    track(upstream, client)
    client.on('data', (bytes) => mode !== 'blackhole' && upstream.write(bytes))
    upstream.on('data', (bytes) => {
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
    dropReplies: () => {
      mode = 'dropReplies'
    },
    heal: () => {
      if (mode !== 'pass') cut()
      mode = 'pass'
    },
    received: () => received,
    close: async () => {
      cut()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
