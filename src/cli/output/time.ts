/** As kubectl's AGE: one unit, two where one would tell too little (`90s`, `5m`, `3h20m`, `4d`). */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 600) return pair(seconds, 60, ['m', 's'])
  if (seconds < 10_800) return `${Math.floor(seconds / 60)}m`
  if (seconds < 28_800) return pair(seconds, 3_600, ['h', 'm'])
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}

function pair(seconds: number, size: number, [big, small]: readonly [string, string]): string {
  const rest = Math.floor((seconds % size) / (size / 60))
  return `${Math.floor(seconds / size)}${big}${rest === 0 ? '' : `${rest}${small}`}`
}

export const ageOf = (iso: string | null, now: number): string => (iso === null ? '-' : span(now - Date.parse(iso)))

/** How long until a moment; `now` once it has come. */
export const untilOf = (iso: string, now: number): string => (Date.parse(iso) <= now ? 'now' : `in ${span(Date.parse(iso) - now)}`)
