/** What of JSON Schema (draft-07) Drover's schema uses; enough to see that it accepts and refuses. */
export type Schema = Record<string, unknown>

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const schemas = (value: unknown): Schema[] => (Array.isArray(value) ? value.filter(isMap) : [])

const TYPES: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
  object: isMap,
}

const KEYWORDS: Record<string, (limit: never, value: never, root: Schema) => boolean> = {
  $ref: (ref: string, value: unknown, root) => accepts(resolve(ref, root), value, root),
  type: (type: string, value: unknown) => TYPES[type]?.(value) ?? false,
  enum: (values: unknown[], value: unknown) => values.includes(value),
  const: (expected: unknown, value: unknown) => expected === value,
  anyOf: (branches: unknown, value: unknown, root) => schemas(branches).some((branch) => accepts(branch, value, root)),
  oneOf: (branches: unknown, value: unknown, root) => schemas(branches).filter((branch) => accepts(branch, value, root)).length === 1,
  allOf: (branches: unknown, value: unknown, root) => schemas(branches).every((branch) => accepts(branch, value, root)),
  pattern: (pattern: string, value: unknown) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
  minimum: (limit: number, value: unknown) => typeof value !== 'number' || value >= limit,
  maximum: (limit: number, value: unknown) => typeof value !== 'number' || value <= limit,
  minLength: (limit: number, value: unknown) => typeof value !== 'string' || value.length >= limit,
  maxLength: (limit: number, value: unknown) => typeof value !== 'string' || value.length <= limit,
  minItems: (limit: number, value: unknown) => !Array.isArray(value) || value.length >= limit,
  maxItems: (limit: number, value: unknown) => !Array.isArray(value) || value.length <= limit,
  required: (names: string[], value: unknown) => !isMap(value) || names.every((name) => Object.hasOwn(value, name)),
  items: (schema: Schema, value: unknown, root) => !Array.isArray(value) || value.every((item) => accepts(schema, item, root)),
  propertyNames: (schema: Schema, value: unknown, root) => !isMap(value) || Object.keys(value).every((name) => accepts(schema, name, root)),
}
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  'id',
  'title',
  'description',
  'examples',
  'default',
  'definitions',
  'properties',
  'additionalProperties',
])

function resolve(ref: string, root: Schema): Schema {
  const found = ref
    .slice(2)
    .split('/')
    .reduce<unknown>((at, name) => (isMap(at) ? at[name] : undefined), root)
  if (!isMap(found)) throw new Error(`no ${ref}`)
  return found
}

function acceptsProperties(schema: Schema, value: unknown, root: Schema): boolean {
  if (!isMap(value)) return true
  const properties = isMap(schema.properties) ? schema.properties : {}
  return Object.entries(value).every(([name, item]) => {
    const own = Object.hasOwn(properties, name) ? properties[name] : (schema.additionalProperties ?? true)
    return isMap(own) ? accepts(own, item, root) : own === true
  })
}

/** @throws Error for a keyword it does not know, so that no rule is passed over. */
export function accepts(schema: Schema, value: unknown, root: Schema = schema): boolean {
  const unknown = Object.keys(schema).find((keyword) => !(keyword in KEYWORDS) && !ANNOTATIONS.has(keyword))
  if (unknown !== undefined) throw new Error(`unknown keyword ${unknown}`)
  const holds = Object.entries(schema).every(([keyword, limit]) => KEYWORDS[keyword]?.(limit as never, value as never, root) ?? true)
  return holds && acceptsProperties(schema, value, root)
}
