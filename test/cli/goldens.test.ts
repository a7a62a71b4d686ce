import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cliOver } from '../support/fake-cli.ts'
import { type FakeData, fakeControl } from '../support/fake-control.ts'
import { nightly } from '../support/fake-nightly.ts'
import { rolling } from '../support/fake-rollouts.ts'
import { shop } from '../support/fake-shop.ts'

/**
 * Each golden file is a talk: `$ drover ...` lines, and below each what it prints. Lines of stderr begin with `! `.
 * After a wanted change run with UPDATE_GOLDENS=1 and read the difference.
 */
const folder = join(import.meta.dirname, 'goldens')
const files = readdirSync(folder).filter((name) => name.endsWith('.golden'))

/** What is there; without an entry here the shop. */
const WORLDS: Readonly<Record<string, () => Partial<FakeData>>> = { 'rollouts.golden': rolling, 'runs.golden': nightly }

async function played(name: string, text: string): Promise<string> {
  const data = (WORLDS[name] ?? shop)()
  const cli = cliOver(fakeControl(data), { cwd: folder })
  const commands = text.split('\n').filter((line) => line.startsWith('$ drover'))
  const parts: string[] = []
  for (const command of commands) {
    const { exit, stdout, stderr } = await cli.run(...command.split(' ').slice(2))
    const said = stderr.replace(/^(?=.)/gm, '! ')
    parts.push(`${command}\n${stdout}${said}[exit ${exit}]\n`)
  }
  return parts.join('\n')
}

describe('goldens', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(5)
  })
  it.each(files)('%s', async (name) => {
    const path = join(folder, name)
    const expected = readFileSync(path, 'utf8')
    const actual = await played(name, expected)
    if (process.env.UPDATE_GOLDENS === '1') writeFileSync(path, actual)
    else expect(actual).toBe(expected)
  })
})
