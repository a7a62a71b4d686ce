import { z } from 'zod'
import { Manifest } from '../model/manifest.ts'

/** Where editors find the schema: `drover schema` prints it, and a server gives it under the same path. */
const SCHEMA_ID = 'https://drover.dev/schema/v1.json'

/**
 * JSON Schema (draft-07, the newest that YAML editors read well) of what may be written in a manifest.
 * It says less than `parseBlob`: rules between fields and documents are not in it.
 */
export function manifestJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(Manifest, { target: 'draft-7', io: 'input', reused: 'ref' })
  return { ...schema, $id: SCHEMA_ID, title: 'Drover manifest' }
}
