/** Seeded randomness: the same seed gives the same numbers, and a fork by name does not disturb its parent. */
export interface Rng {
  /** [0, 1). */
  next(): number
  /** True with probability `p`. */
  chance(p: number): boolean
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number
  /** @throws Error for an empty list. */
  pick<T>(items: readonly T[]): T
  fork(name: string): Rng
}

/** mulberry32: 32 bits of state, fast, and good enough to choose faults. */
function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return hash >>> 0
}

export function createRng(seed: number): Rng {
  const next = mulberry32(seed)
  return {
    next,
    chance: (p) => next() < p,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
    fork: (name) => createRng(seed ^ hashOf(name)),
  }
}
