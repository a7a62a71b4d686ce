import type { Term } from './term.ts'

/** Yields after turns that may have changed something readable; a slow reader skips turns, never waits for them. */
export async function* changesOf(term: Term, signal: AbortSignal): AsyncIterable<void> {
  let wake: () => void = () => undefined
  let turned = true
  const onTurn = () => {
    turned = true
    wake()
  }
  signal.addEventListener('abort', onTurn)
  term.listeners.add(onTurn)
  try {
    while (!signal.aborted) {
      if (!turned) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      turned = false
      if (!signal.aborted) yield
    }
  } finally {
    term.listeners.delete(onTurn)
    signal.removeEventListener('abort', onTurn)
  }
}
