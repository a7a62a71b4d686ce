import { Readable } from 'node:stream'
import type Dockerode from 'dockerode'
import type { LogLine } from '../../../src/model/protocol.ts'
import type { LogQuery } from '../../driver.ts'
import { logLines } from './demux.ts'
import { dial, type Engine } from './engine.ts'
import { engineError, whenStatus } from './errors.ts'

/**
 * The lines of a container, as they are taken; ends quietly on abort or when the container is gone.
 * @throws RetryableError when the engine breaks off
 */
export async function* containerLogs(engine: Engine, id: string, query: LogQuery & { signal: AbortSignal }): AsyncGenerator<LogLine> {
  const { signal } = query
  try {
    const open = (abortSignal: AbortSignal): Promise<Readable> => openLogs(engine.streams, id, { ...query, abortSignal })
    const stream = await engine.stream(`read logs of ${id}`, open, signal).catch(whenStatus([404, 409], null))
    if (stream !== null) yield* logLines(stream)
  } catch (error) {
    if (!signal.aborted) throw engineError(error, `read logs of ${id}`)
  }
}

interface OpenOptions extends LogQuery {
  readonly abortSignal: AbortSignal
}

/** Dockerode's own `logs` reads a whole log into memory when it does not follow. */
async function openLogs(docker: Dockerode, id: string, { tail, follow, abortSignal }: OpenOptions): Promise<Readable> {
  const options = { stdout: true, stderr: true, timestamps: true, follow, tail: tail === null ? 'all' : String(tail) }
  const stream = await dial(docker, { path: `/containers/${id}/logs?`, isStream: true, options, abortSignal })
  if (stream instanceof Readable) return stream
  throw new Error('the engine gave no stream')
}
