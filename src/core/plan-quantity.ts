const MEMORY_UNITS = [
  ['Ti', 2 ** 40],
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
  ['Ki', 2 ** 10],
] as const

/** Thousandths of a core as a manifest says them, without loss: `2`, `500m`. */
export function formatCpu(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`
}

/** Bytes as a manifest says them, without loss: the largest binary unit that divides them, else plain bytes. */
export function formatMemory(bytes: number): string {
  const unit = MEMORY_UNITS.find(([, size]) => bytes !== 0 && bytes % size === 0)
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`
}

/** Bytes for a sentence, rounded down to whole MiB: `300 MiB`. */
export function approximateMemory(bytes: number): string {
  return bytes < 2 ** 20 ? `${Math.max(0, bytes)} bytes` : `${Math.floor(bytes / 2 ** 20)} MiB`
}
