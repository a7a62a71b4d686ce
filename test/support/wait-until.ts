const POLL_MS = 10

export interface WaitOptions {
  /** Milliseconds until it gives up; 30 s unless told, for a busy machine is not a broken one. */
  timeoutMs?: number
}

/**
 * Polls until `predicate` is true, and a throwing predicate counts as not yet.
 * @throws Error after the timeout, with what the predicate threw last as its cause.
 */
export async function waitUntil(predicate: () => boolean | Promise<boolean>, options: WaitOptions = {}): Promise<void> {
  const timeoutMs = options.timeoutMs ?? 30_000
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const outcome = await attempt(predicate)
    if (outcome.held) return
    if (performance.now() >= deadline) {
      throw new Error(`not true within ${timeoutMs} ms: ${predicate.toString()}`, { cause: outcome.cause })
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function attempt(predicate: () => boolean | Promise<boolean>): Promise<{ held: boolean; cause: unknown }> {
  try {
    return { held: await predicate(), cause: null }
  } catch (cause) {
    return { held: false, cause }
  }
}
