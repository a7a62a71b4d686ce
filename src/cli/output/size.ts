const UNITS = ['Ki', 'Mi', 'Gi', 'Ti']

/** Bytes as Kubernetes writes them: `900`, `512.0Ki`, `1.5Gi`. */
export function sizeOf(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length, Math.floor(Math.log2(bytes) / 10))
  return power === 0 ? String(bytes) : `${(bytes / 1024 ** power).toFixed(1)}${UNITS[power - 1]}`
}
