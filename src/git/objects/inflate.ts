import { promisify } from 'node:util'
import { inflate, inflateSync } from 'node:zlib'
import { GitError } from '../git-backend.ts'

const inflateAsync = promisify(inflate)

/** Above this the work leaves the event loop; below it the hand-over costs more than the work. */
const ASYNC_FROM_BYTES = 64 * 1024

/**
 * Bytes after the end of the stream are ignored, as a pack stores entries back to back.
 * @throws GitError `TooLarge` when the result would exceed `limit` bytes, `Corrupt` when it is not a zlib stream.
 */
export async function inflateAtMost(bytes: Buffer, limit: number): Promise<Buffer> {
  const options = { maxOutputLength: Math.max(1, limit) }
  try {
    return limit < ASYNC_FROM_BYTES ? inflateSync(bytes, options) : await inflateAsync(bytes, options)
  } catch (cause) {
    const tooLarge = cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE'
    if (tooLarge) throw new GitError('TooLarge', `an object inflates to more than ${limit} bytes`, { cause })
    throw new GitError('Corrupt', 'an object is not readable (zlib)', { cause })
  }
}

/** Upper bound of the deflated size of `size` bytes: stored blocks cost 5 bytes per 16 kB, and the header 6. */
export const deflateBound = (size: number): number => size + Math.ceil(size / 16_000) * 5 + 64
