/** Runs works of one key one after the other, in the order they came; works of different keys side by side. */
export type Serial = <T>(key: string, work: () => Promise<T>) => Promise<T>

export function createSerial(): Serial {
  const last = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    // The next in line does not care how this one ended; whoever asked for it does.
    const settled = mine.catch(() => undefined)
    last.set(key, settled)
    try {
      return await mine
    } finally {
      if (last.get(key) === settled) last.delete(key)
    }
  }
}
