/** Names longer than this are not compared: nobody mistypes a page of text. */
const MAX_LENGTH = 64
/** Bounds the work for a mistake in a revision of many thousand names. */
const MAX_CANDIDATES = 1000

/** Levenshtein distance, in time length(a) * length(b). */
export function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [row, left] of [...a].entries()) {
    const current = [row + 1]
    for (const [column, right] of [...b].entries()) {
      const replaced = (previous[column] ?? 0) + (left === right ? 0 : 1)
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}

/** The candidate that was most likely meant: nearest in spelling, case aside; null when none is near. */
export function suggest(word: string, candidates: readonly string[]): string | null {
  if (word.length > MAX_LENGTH) return null
  const allowed = word.length <= 3 ? 1 : word.length <= 6 ? 2 : 3
  let best: { candidate: string; away: number } | null = null
  for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
    if (Math.abs(candidate.length - word.length) > allowed) continue
    const away = distance(word.toLowerCase(), candidate.toLowerCase())
    if (away <= allowed && away < (best?.away ?? Number.POSITIVE_INFINITY)) best = { candidate, away }
  }
  return best?.candidate ?? null
}

export function didYouMean(word: string, candidates: readonly string[]): string | null {
  const found = suggest(word, candidates)
  return found === null ? null : `did you mean "${found}"?`
}
