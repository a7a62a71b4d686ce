import { rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `swallow`: the engine does it, but its answer is lost. `refuse`: it never hears of it. */
export type Fate = 'pass' | 'swallow' | 'refuse'

export interface DockerProxy {
  readonly socketPath: string
  /** Decides about each request by its first line, such as `POST /containers/x/start? HTTP/1.1`. */
  decide(fate: (line: string) => Fate): void
  close(): Promise<void>
}

let count = 0

/** A unix socket in front of an engine's, on which requests and answers get lost as told. */
export async function startDockerProxy(engineSocket: string): Promise<DockerProxy> {
  count += 1
  const socketPath = join(tmpdir(), `drover-proxy-${process.pid}-${count}.sock`)
  const open = new Set<Socket>()
  let fateOf: (line: string) => Fate = () => 'pass'

  const server = createServer((client) => {
    const engine = connect(engineSocket)
    let swallowing = false
    for (const [socket, other] of [[client, engine] as const, [engine, client] as const]) {
      open.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
    client.on('data', (chunk) => {
      const fate = fateOf(chunk.toString('latin1').split('\r\n', 1)[0] ?? '')
      if (fate === 'refuse') client.destroy()
      else engine.write(chunk)
      swallowing ||= fate === 'swallow'
    })
    engine.on('data', (chunk) => {
      if (swallowing) client.destroy()
      else client.write(chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  return {
    socketPath,
    decide(fate) {
      fateOf = fate
    },
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await rm(socketPath, { force: true })
    },
  }
}
