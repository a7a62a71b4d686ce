/** What is to be closed when it is over, the last first. */
export type Closers = (() => Promise<unknown>)[]

export interface Parts {
  /** The exit code, once there is one. */
  readonly end: Promise<number>
  /** What the program is made of; each runs until the signal aborts. */
  readonly parts: readonly Promise<void>[]
}

/**
 * Runs a role until it ends. However it ends, nothing it opened stays behind: an open port or a leader that campaigns
 * on would keep the process alive.
 */
export async function inForeground(open: (closers: Closers, signal: AbortSignal) => Promise<Parts>, signal: AbortSignal): Promise<number> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const closers: Closers = []
  try {
    const { end, parts } = await open(closers, either)
    const code = await Promise.race([end, ...parts.map((part) => fails(part, either))])
    over.abort()
    await Promise.all(parts)
    return code
  } finally {
    over.abort()
    for (const close of closers.toReversed()) await close()
  }
}

/** Exit code 0 when it is told to end. */
export function untilTold(signal: AbortSignal): Promise<number> {
  return new Promise((done) => {
    if (signal.aborted) done(0)
    else signal.addEventListener('abort', () => done(0), { once: true })
  })
}

/** A part that ends by itself before it was told to is a failure of the whole. */
async function fails(part: Promise<void>, told: AbortSignal): Promise<never> {
  await part
  if (!told.aborted) throw new Error('a part of this program has ended by itself')
  return new Promise(() => undefined)
}
