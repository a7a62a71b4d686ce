import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { manifestJsonSchema } from '../../src/manifest/json-schema.ts'
import { accepts } from './draft7.ts'

const root = join(import.meta.dirname, '../..')
const schema = manifestJsonSchema()
const examples = readdirSync(join(root, 'manifests-example'), { recursive: true, encoding: 'utf8' }).filter((path) =>
  path.endsWith('.yaml'),
)
const read = (folder: string, path: string): unknown => parse(readFileSync(join(root, folder, path), 'utf8'))

/** Every schema inside a schema. */
function all(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(all)
  if (typeof value !== 'object' || value === null) return []
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(all)]
}

describe('the JSON Schema for editors', () => {
  it('is draft-07 with an id and a title', () => {
    expect(schema).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      $id: expect.stringContaining('/v1.json'),
      title: 'Drover manifest',
    })
  })

  it('allows no unknown field in any object with known ones', () => {
    const objects = all(schema).filter((part) => part.type === 'object' && part.properties !== undefined)
    expect(objects.length).toBeGreaterThan(20)
    const open = objects.filter((part) => part.additionalProperties !== false)
    // What SOPS writes of its own is SOPS's to say.
    expect(open.map(({ properties }) => Object.keys(properties ?? {}))).toEqual([
      ['age', 'lastmodified', 'mac', 'mac_only_encrypted'],
      ['recipient', 'enc'],
    ])
  })

  it.each(examples)('accepts the example %s', (path) => expect(accepts(schema, read('manifests-example', path))).toBe(true))

  it.each([
    'unknown-field',
    'unknown-field-in-container',
    'unknown-top-level',
    'planned-fields',
    'unknown-kind',
    'other-tool',
    'wrong-version',
    'missing-spec',
    'missing-image',
    'bad-name',
    'wrong-types',
    'number-for-text',
    'out-of-range',
    'bad-enum',
    'bad-quantity',
    'several-containers',
    'config-key-escapes',
  ])('refuses %s', (name) => expect(accepts(schema, read('test/manifest/bad', `${name}.yaml`))).toBe(false))
})
