import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createParsePool } from '../../../src/control/source/parse-pool.ts'
import type { ManifestParser } from '../../../src/control/source/render.ts'

const REAL = new URL('../../support/parse-worker.mjs', import.meta.url)
const STUCK = new URL('../stuck-worker.mjs', import.meta.url)

const opened: ManifestParser[] = []
const open = (entry: URL): ManifestParser => {
  const pool = createParsePool(entry)
  opened.push(pool)
  return pool
}
afterEach(async () => {
  for (const pool of opened.splice(0)) await pool.close()
})

it('checks files in a worker, with what is wrong and where', async () => {
  const pool = open(REAL)
  const good = 'apiVersion: drover.dev/v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n'
  const [first, second] = await Promise.all([pool.parse('good.yaml', good), pool.parse('bad.yaml', 'kind: ConfigMap\nfoo: [\n')])
  expect(first).toMatchObject({ path: 'good.yaml', problems: [], unreadable: false })
  expect(second.problems[0]).toMatchObject({ file: 'bad.yaml' })
})

describe('a file that breaks the worker', () => {
  let pool: ManifestParser
  beforeEach(() => {
    pool = open(STUCK)
  })

  it.each(['spin', 'die', 'throw', 'hoard'])('G8: %s: is refused by its name, and the next one is checked', async (kind) => {
    const [bad, next] = await Promise.all([pool.parse(`${kind}.yaml`, ''), pool.parse('next.yaml', '')])
    expect(bad).toMatchObject({ unreadable: true, problems: [{ file: `${kind}.yaml`, line: 1, column: 1 }] })
    expect(bad.problems[0]?.message).toMatch(/cannot be read within 2 s/)
    expect(next).toMatchObject({ path: 'next.yaml', unreadable: false })
  })
})

it('a worker that does not load is no mistake of a manifest', async () => {
  const pool = open(new URL('../no-such-worker.mjs', import.meta.url))
  await expect(pool.parse('a.yaml', '')).rejects.toThrow(/no-such-worker/)
})
