import { Readable } from 'node:stream'
import type Dockerode from 'dockerode'
import type { LogLine } from '../../../src/model/protocol.ts'
import type { LogQuery } from '../../driver.ts'
import { logLines } from './demux.ts'
import { dial, type Engine } from './engine.ts'
import { engineError, whenStatus } from './errors.ts'

type Query = LogQuery & { readonly signal: AbortSignal }

/**
 * The lines of a container, as they are taken; ends quietly on abort or when the container is gone.
 * @throws RetryableError when the engine breaks off
 */
export async function* containerLogs(engine: Engine, id: string, query: Query): AsyncGenerator<LogLine> {
  const { tail, until, follow } = query
  if (tail !== null && until !== null && !follow) yield* lastLines(engine, id, { ...query, tail })
  else yield* rawLogs(engine, id, query)
}

/** The engine takes the last lines of the whole log and only then looks at `until`; so all that are wanted are counted first. */
async function* lastLines(engine: Engine, id: string, query: Query & { readonly tail: number }): AsyncGenerator<LogLine> {
  const whole = { ...query, tail: null }
  let left = 0
  for await (const _ of rawLogs(engine, id, whole)) left += 1
  for await (const line of rawLogs(engine, id, whole)) {
    if (left <= query.tail) yield line
    left -= 1
  }
}

async function* rawLogs(engine: Engine, id: string, query: Query): AsyncGenerator<LogLine> {
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
async function openLogs(docker: Dockerode, id: string, { tail, since, until, follow, abortSignal }: OpenOptions): Promise<Readable> {
  const range = {
    ...(since === null ? {} : { since: secondsOf(since, '000000') }),
    // To the end of that millisecond, which is all that a line's time says.
    ...(until === null ? {} : { until: secondsOf(until, '999999') }),
  }
  const options = { stdout: true, stderr: true, timestamps: true, follow, tail: tail === null ? 'all' : String(tail), ...range }
  const stream = await dial(docker, { path: `/containers/${id}/logs?`, isStream: true, options, abortSignal })
  if (stream instanceof Readable) return stream
  throw new Error('the engine gave no stream')
}

/** Seconds since 1970 with nine digits behind the point, as the engine wants them. */
const secondsOf = (ms: number, nanos: string): string => `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}${nanos}`
