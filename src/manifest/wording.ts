import type { z } from 'zod'
import type { Path } from './positions.ts'
import { type Finding, quote, shorten } from './problem.ts'

type RawIssue = z.core.$ZodRawIssue
type Issue = z.core.$ZodIssue

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
  null: 'nothing',
}

/** What a value is, as people say it. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'boolean') return quote(String(value))
  if (typeof value === 'number') return Number.isInteger(value) ? `the number ${value}` : `the fraction ${value}`
  return TYPE_NAMES[typeof value] ?? 'something else'
}

const typeName = (expected: string): string => TYPE_NAMES[expected] ?? expected

const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' items', object: ' keys', record: ' keys' }

const bound = (issue: { origin: string }, limit: unknown, word: string): string => {
  if (issue.origin === 'string' && limit === 1 && word === 'at least') return 'must not be empty'
  if (issue.origin === 'array' && limit === 1 && word === 'at least') return 'must have at least one item'
  return `must ${UNITS[issue.origin] === undefined ? 'be' : 'have'} ${word} ${String(limit)}${UNITS[issue.origin] ?? ''}`
}

const isWrongType = (issue: Issue): boolean => issue.code === 'invalid_type' && issue.path.length === 0

/** The branch that was meant says what is wrong; when the type fits none, all types are listed. */
function describeUnion(branches: readonly (readonly Issue[])[], input: unknown): string {
  const meant = branches.find((issues) => issues.length > 0 && !issues.some(isWrongType))
  if (meant?.[0] !== undefined) return meant[0].message
  const expected = branches.flatMap((issues) =>
    issues.flatMap((issue) => (issue.code === 'invalid_type' ? [typeName(issue.expected)] : [])),
  )
  return `expected ${[...new Set(expected)].join(' or ')}, got ${kindOf(input)}`
}

/** zod's error map: a clause that follows a field's name. Messages given in the schemas win over it. */
export function describeIssue(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${typeName(issue.expected)}, got ${kindOf(issue.input)}`
    case 'invalid_value':
      return `must be ${issue.values.map((value) => (typeof value === 'string' ? `"${value}"` : String(value))).join(' or ')}`
    case 'too_small':
      return bound(issue, issue.minimum, 'at least')
    case 'too_big':
      return bound(issue, issue.maximum, 'at most')
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'is not allowed'
    case 'invalid_union':
      return describeUnion(issue.errors, issue.input)
    default:
      return undefined
  }
}

/** A path as people write it: `spec.template.spec.containers[0].image`. */
export function pathText(path: Path): string {
  const text = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${shorten(String(step), 40)}`)).join('')
  return text.startsWith('.') ? text.slice(1) : text
}

/** "`spec.replicas` must be at least 0", or without a subject for the document as a whole. */
export function aboutField(path: Path, clause: string, hint: string | null): Finding {
  const glue = /^(must|is|has|needs|names) /.test(clause) ? ' ' : ': '
  return { message: path.length === 0 ? clause : `${quote(pathText(path))}${glue}${clause}`, hint }
}
