import type { z } from 'zod'
import { PLANNED_FIELDS } from '../model/manifest.ts'
import type { Path } from './positions.ts'
import { type Finding, quote } from './problem.ts'
import { fieldsAt } from './schema-fields.ts'
import { suggest } from './suggest.ts'
import { aboutField, pathText } from './wording.ts'

/** A mistake at a path; `on` says whether the field's name or its value is at fault. Only what is shown is told. */
export type Located = { path: Path; on: 'key' | 'value'; tell: () => Finding }

export const REMOVE_PLANNED = 'remove it until then'
export const planned = (what: string): string => `${what} is planned, not yet run by this version of Drover`

/** The name of an object in PLANNED_FIELDS: indexes as `[]`, the template alike in every kind. */
function plannedName(kind: string, path: Path): string {
  const inTemplate = path[0] === 'spec' && path[1] === 'template'
  const steps = inTemplate ? path.slice(1) : [kind, ...path]
  return steps
    .map((step) => (typeof step === 'number' ? '[]' : `.${String(step)}`))
    .join('')
    .slice(1)
}

function unknownField(schema: z.ZodType, kind: string, field: Path): Finding {
  const path = field.slice(0, -1)
  const key = String(field.at(-1))
  const name = plannedName(kind, path)
  if (Object.hasOwn(PLANNED_FIELDS, name) && PLANNED_FIELDS[name]?.includes(key))
    return { message: planned(quote(pathText(field))), hint: REMOVE_PLANNED }
  const fields = fieldsAt(schema, path)
  const near = suggest(key, fields)
  const hint = near === null ? `fields here: ${fields.join(', ')}` : `did you mean "${near}"?`
  return { message: `unknown field ${quote(key)}`, hint }
}

const isNumberOrBoolean = (input: unknown): boolean => typeof input === 'number' || typeof input === 'boolean'

function valueHint(kind: string, issue: z.core.$ZodIssue): string | null {
  // What stands there may be a password, and a problem is told to more people than may read the file.
  if (kind === 'Secret') return null
  if (issue.code === 'invalid_type' && issue.expected === 'string' && isNumberOrBoolean(issue.input))
    return `put it in quotes: "${String(issue.input)}"`
  if (issue.input === null) return 'give it a value, or remove the field'
  if (issue.code === 'invalid_value' && typeof issue.input === 'string') {
    const near = suggest(issue.input, issue.values.map(String))
    return near === null ? null : `did you mean "${near}"?`
  }
  return null
}

function missing(issue: z.core.$ZodIssue): Located | null {
  const name = issue.path.at(-1)
  if (issue.code === 'custom' || issue.input !== undefined || typeof name !== 'string') return null
  const parent = issue.path.slice(0, -1)
  const message = parent.length === 0 ? `missing field ${quote(name)}` : `${quote(pathText(parent))} is missing the field ${quote(name)}`
  return { path: issue.path, on: 'key', tell: () => ({ message, hint: null }) }
}

/** One zod issue as findings: an unknown-keys issue names each key. */
function findingsOf(schema: z.ZodType, kind: string, issue: z.core.$ZodIssue): Located[] {
  if (issue.code === 'unrecognized_keys') {
    const fields = issue.keys.map((key) => [...issue.path, key])
    return fields.map((path) => ({ path, on: 'key', tell: () => unknownField(schema, kind, path) }))
  }
  const absent = missing(issue)
  if (absent !== null) return [absent]
  if (issue.code === 'invalid_key') {
    const message = `the key ${quote(String(issue.path.at(-1)))} ${issue.message}`
    return [{ path: issue.path, on: 'key', tell: () => ({ message, hint: null }) }]
  }
  return [{ path: issue.path, on: 'value', tell: () => aboutField(issue.path, issue.message, valueHint(kind, issue)) }]
}

/** zod's issues in our words. Where a field is unknown, a complaint about the object as a whole only repeats it. */
export function translate(schema: z.ZodType, kind: string, issues: readonly z.core.$ZodIssue[]): Located[] {
  const mistyped = new Set(issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? [pathText(issue.path)] : [])))
  return issues
    .filter((issue) => issue.code !== 'custom' || !mistyped.has(pathText(issue.path)))
    .flatMap((issue) => findingsOf(schema, kind, issue))
}
