import type { Constraint } from '../../model/template.ts'

type Labels = Readonly<Record<string, string>>
type Operator = (label: string | undefined, values: readonly string[]) => boolean

/** Own properties only: a label named `constructor` is absent unless somebody set it. */
export function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

/** As in Kubernetes: a missing label satisfies NotIn and DoesNotExist only; Gt and Lt compare with the first value. */
const OPERATORS: Readonly<Record<Constraint['operator'], Operator>> = {
  In: (label, values) => label !== undefined && values.includes(label),
  NotIn: (label, values) => label === undefined || !values.includes(label),
  Exists: (label) => label !== undefined,
  DoesNotExist: (label) => label === undefined,
  Gt: (label, values) => numberOf(label) > numberOf(values[0]),
  Lt: (label, values) => numberOf(label) < numberOf(values[0]),
  Matches: (label, values) => label !== undefined && values.some((glob) => matchesGlob(glob, label)),
}

export function meetsConstraint(constraint: Constraint, labels: Labels): boolean {
  return OPERATORS[constraint.operator](labelOf(labels, constraint.key), constraint.values)
}

export function meetsSelector(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labelOf(labels, key) === value)
}

/** NaN, which is neither greater nor less than anything, for what is no plain number. */
function numberOf(text: string | undefined): number {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
}

/**
 * `*` is any run of characters, `?` any one; the whole text must match.
 * Only the last star is ever tried again, so the work is at most pattern times text, never exponential.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let index = 0
  while (index < text.length) {
    if (glob[at] === '*') {
      star = at++
      resume = index
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === text[index])) {
      at++
      index++
    } else if (star >= 0) {
      at = star + 1
      index = ++resume
    } else return false
  }
  while (glob[at] === '*') at++
  return at === glob.length
}
