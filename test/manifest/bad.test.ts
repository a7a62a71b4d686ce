import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseBlob } from '../../src/manifest/blob.ts'
import { link } from '../../src/manifest/link.ts'
import { said } from './support.ts'

const folder = join(import.meta.dirname, 'bad')
const MARK = '#! '

/** Each file ends with the problems it must give, one a line, after `#! `. */
describe('bad manifests are told with line, column and a way to mend them', () => {
  it.each(readdirSync(folder))('%s', (name) => {
    const [text = '', ...table] = readFileSync(join(folder, name), 'utf8').split(MARK)
    const expected = table.map((line) => line.trimEnd())
    const { problems } = link([parseBlob(name, text)])
    expect(expected.length).toBeGreaterThan(0)
    expect(problems.map(said)).toEqual(expected)
  })
})
