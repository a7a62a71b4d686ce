import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../lib/errors.ts'
import type { CheckedFile } from '../../manifest/blob.ts'
import type { ManifestParser } from './render.ts'

/** A file that takes longer is refused; the limits of `manifest` keep honest ones far below. */
const DEADLINE_MS = 2_000
/** Loading the worker's modules counts apart from the first file. */
const START_DEADLINE_MS = 20_000

/** Ten times what the largest file that is allowed takes; a file that needs more ends the worker, not the leader. */
const HEAP_MB = 512

interface Job {
  readonly path: string
  readonly text: string
  readonly resolve: (checked: CheckedFile) => void
  readonly reject: (error: unknown) => void
}

/**
 * Checks manifests in a worker thread, one at a time, so that no content can stall the leader: a file over the
 * deadline ends the worker, is refused with its name, and the next one gets a new worker.
 * `entry` is the compiled `parse-worker`.
 */
export function createParsePool(entry: URL): ManifestParser {
  const waiting: Job[] = []
  let worker: Promise<Worker> | null = null
  let busy = false

  const start = (): Promise<Worker> => {
    const starting = startWorker(entry, () => {
      if (worker === starting) worker = null
    })
    return starting
  }

  const next = async (): Promise<void> => {
    const job = waiting.shift()
    busy = job !== undefined
    if (job === undefined) return
    worker ??= start()
    try {
      await runJob(await worker, job)
    } catch (error) {
      worker = null
      job.reject(error)
    }
    await next()
  }

  return {
    parse: (path, text) =>
      new Promise((resolve, reject) => {
        waiting.push({ path, text, resolve, reject })
        if (!busy) void next()
      }),
    async close() {
      const last = await worker
      // Node would otherwise find nothing left to wait for, and end the process here.
      last?.ref()
      await last?.terminate()
      worker = null
    },
  }
}

/** @throws Error when the worker's own modules do not load in time: no fault of a manifest. */
async function startWorker(entry: URL, lost: () => void): Promise<Worker> {
  const worker = new Worker(entry, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } })
  worker.unref()
  worker.on('error', lost)
  worker.once('exit', lost)
  await once(worker, 'message', { signal: AbortSignal.timeout(START_DEADLINE_MS) })
  return worker
}

async function runJob(worker: Worker, job: Job): Promise<void> {
  const { path, text } = job
  worker.postMessage({ path, text })
  try {
    const [checked] = await once(worker, 'message', { signal: AbortSignal.timeout(DEADLINE_MS) })
    job.resolve(checked as CheckedFile)
  } catch (error) {
    await worker.terminate()
    job.resolve(refused(path, `cannot be read within ${DEADLINE_MS / 1000} s: ${messageOf(error)}`))
  }
}

function refused(path: string, message: string): CheckedFile {
  return {
    path,
    size: 0,
    documents: [],
    problems: [{ file: path, line: 1, column: 1, message, hint: 'split it into smaller files' }],
    unreadable: true,
  }
}
