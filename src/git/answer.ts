import { GitError } from './git-backend.ts'

/**
 * What went wrong below isomorphic-git. It takes a broken stream for the end of the data and an `ERR` line
 * for an empty answer, so a cut connection would look like a vanished branch: the cause is kept here.
 */
export interface Failure {
  cause: unknown
}

const TAIL_BYTES = 4
const FLUSH = '0000'
const ERROR_LINE = /^[0-9a-f]{4}ERR (?<message>[^\n\0]*)/

export interface AnswerLimits {
  readonly maxBytes: number
  readonly failure: Failure
  /** Finds a better account of a failure, from a side channel. */
  readonly explain?: (error: unknown) => Promise<unknown>
}

/** Every whole answer of the smart protocol ends with a flush packet. */
function checkEnd(head: Buffer, tail: Buffer): void {
  const refusal = ERROR_LINE.exec(head.toString('utf8'))?.groups?.message
  if (refusal !== undefined) throw new GitError(/not our ref/.test(refusal) ? 'MissingRef' : 'Unreachable', `the remote says: ${refusal}`)
  if (tail.toString('latin1') !== FLUSH) throw new GitError('Unreachable', 'the answer of the remote was cut off')
}

/** Passes an answer on, counted and checked to be whole; a failure is both thrown and kept. */
export async function* checkedAnswer(chunks: AsyncIterable<Uint8Array>, limits: AnswerLimits): AsyncGenerator<Uint8Array, void, undefined> {
  let total = 0
  let head = Buffer.alloc(0)
  let tail = Buffer.alloc(0)
  try {
    for await (const chunk of chunks) {
      total += chunk.length
      if (total > limits.maxBytes) throw new GitError('TooLarge', `the remote sends more than ${limits.maxBytes} bytes`)
      if (head.length < 512) head = Buffer.concat([head, chunk.subarray(0, 512)])
      tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
      yield chunk
    }
    checkEnd(head, tail)
  } catch (error) {
    const told = limits.explain === undefined ? error : await limits.explain(error)
    limits.failure.cause ??= told
    throw told
  }
}
