/** Over all links together. An honest archive takes some ten a link; a circle, or links made to cost time, take all. */
const MAX_STEPS = 4_000_000

/**
 * The first of an archive's symbolic links (path to target) that leads out of it, or round in circles; null: none does.
 * Looks at the links as they will be, all together: two that stay inside each by itself may lead out one after the other.
 */
export function escapingLink(links: ReadonlyMap<string, string>): string | null {
  const budget = { steps: MAX_STEPS }
  for (const [path, target] of links) {
    const folder = path.split('/').slice(0, -1)
    if (!staysInside(folder, target, { links, budget })) return path
  }
  return null
}

interface Archive {
  readonly links: ReadonlyMap<string, string>
  readonly budget: { steps: number }
}

/** Walks from a folder of the archive, with each link on the way replaced by where it leads. */
function staysInside(folder: readonly string[], target: string, { links, budget }: Archive): boolean {
  const ahead = [...folder, ...target.split('/')].reverse()
  const walked: string[] = []
  if (target.startsWith('/')) return false
  for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
    budget.steps -= 1
    if (budget.steps < 0) return false
    if (part === '' || part === '.') continue
    if (part === '..') {
      if (walked.pop() === undefined) return false
      continue
    }
    const next = links.get([...walked, part].join('/'))
    if (next?.startsWith('/')) return false
    if (next === undefined) walked.push(part)
    else ahead.push(...next.split('/').reverse())
  }
  return true
}
