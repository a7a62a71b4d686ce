/** @throws Error when `value` is missing: a broken assumption, not an expected outcome. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`broken assumption: ${what}`)
  return value
}
