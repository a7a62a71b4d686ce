import { z } from 'zod'
import type { Path } from './positions.ts'

/** The schema below defaults, optionals and transforms. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrap(schema.def.innerType)
  return schema instanceof z.ZodPipe ? unwrap(schema.def.in) : schema
}

function step(schema: z.core.$ZodType, name: PropertyKey): z.core.$ZodType | null {
  if (schema instanceof z.ZodArray) return unwrap(schema.def.element)
  if (!(schema instanceof z.ZodObject) || !Object.hasOwn(schema.def.shape, name)) return null
  const field = schema.def.shape[String(name)]
  return field === undefined ? null : unwrap(field)
}

/** Names of the fields a schema knows at a path, for suggestions; empty where it has none. */
export function fieldsAt(schema: z.core.$ZodType, path: Path): string[] {
  const found = path.reduce<z.core.$ZodType | null>((at, name) => (at === null ? null : step(at, name)), unwrap(schema))
  return found instanceof z.ZodObject ? Object.keys(found.def.shape) : []
}
