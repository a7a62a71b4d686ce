import { readFileSync } from 'node:fs'
import { type Command, CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { CliError, EXIT } from '../../src/cli/exit.ts'
import { buildProgram, everyCommand } from '../../src/cli/program.ts'
import { cliOver } from '../support/fake-cli.ts'
import { commandsOf, DOCS, type Doc, inlineCode, README, tableRows, wordsOf } from './markdown.ts'

/** The command tree, whose commands do nothing. */
function program(): Command {
  const tree = buildProgram(() => async () => undefined, cliOver().deps)
  for (const command of everyCommand(tree)) {
    command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
  }
  return tree
}

/** What follows `drover`; null for other programs, and for the bare name. */
const droverWords = (command: string): string[] | null => {
  const words = wordsOf(command).slice(command.startsWith('npx ') ? 1 : 0)
  return words[0] === 'drover' && words.length > 1 ? words.slice(1) : null
}

/** Why a whole command line would be refused; null when it is understood. */
async function refusal(words: readonly string[]): Promise<string | null> {
  try {
    await program().parseAsync([...words], { from: 'user' })
    return null
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? null : error.message
    if (error instanceof CliError) return error.message
    throw error
  }
}

/** A mention in a sentence may leave arguments out; its command and its options must be there. */
function unknownIn([name = '', ...words]: readonly string[]): string | null {
  const tree = program()
  const first = name.startsWith('-') ? tree : tree.commands.find((one) => one.name() === name)
  if (first === undefined) return `there is no command ${name}`
  const command = first.commands.find((one) => one.name() === words[0]) ?? first
  const known = new Set([...command.options, ...tree.options].flatMap(({ long, short }) => [long, short]))
  return words.find((word) => word.startsWith('-') && !known.has(word)) ?? null
}

const typed = ({ path, blocks }: Doc) =>
  blocks.flatMap(commandsOf).flatMap((command) => {
    const words = droverWords(command)
    return words === null ? [] : [{ path, command, words }]
  })
const names = new Set(program().commands.map((command) => command.name()))
const mentioned = ({ path, prose }: Doc) =>
  inlineCode(prose).flatMap((command) => {
    const bare = wordsOf(command)
    const isBare = names.has(bare[0] ?? '') && bare[1]?.startsWith('--') === true
    const words = isBare ? bare : droverWords(command)
    return words === null ? [] : [{ path, command, words }]
  })

describe('commands in the documents', () => {
  it.each(DOCS.flatMap(typed))('$path: $command', async ({ words }) => {
    expect(await refusal(words)).toBeNull()
  })

  it.each(DOCS.flatMap(mentioned))('$path mentions $command', ({ words }) => {
    expect(unknownIn(words)).toBeNull()
  })

  it('would be told from wrong ones', async () => {
    expect(await refusal(['stauts'])).toContain('unknown command')
    expect(await refusal(['plan', '--lokal'])).toContain('unknown option')
    expect(await refusal(['wait', 'shop', '--timeout', 'soon'])).toContain('duration')
    expect(unknownIn(['rollback', '--too'])).toBe('--too')
    expect(unknownIn(['up', '--label'])).toBeNull()
  })

  it('are all in the table, and nothing else', () => {
    const named = tableRows(README, 'Commands').flatMap(([first = '']) => inlineCode(first).map((code) => code.split(' ')[0]))
    const help = 'help'
    expect(named.toSorted()).toEqual([...program().commands.map((command) => command.name()), help].toSorted())
  })

  it('end with the codes of the table', () => {
    const codes = tableRows(README, 'Commands').flatMap(([first = '']) => (/^\d+$/.test(first) ? [Number(first)] : []))
    expect(codes).toEqual(Object.values(EXIT).toSorted((a, b) => a - b))
  })
})

describe('npm scripts in the documents', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const all = DOCS.flatMap(({ path, prose, blocks }) =>
    [prose, ...blocks.map(({ text }) => text)].flatMap((text) =>
      [...text.matchAll(/npm (?:run (?:--silent )?)?(quickstart|test|(?<=run )[\w:]+)/g)].map(([, script = '']) => ({ path, script })),
    ),
  )

  it.each(all)('$path: $script', ({ script }) => {
    expect(Object.keys(scripts)).toContain(script)
  })

  it('take the options that are shown', () => {
    const source = readFileSync('manifests-example/quickstart.mjs', 'utf8')
    const shown = inlineCode(README.prose).flatMap((code) => /^npm run quickstart -- (\S+)$/.exec(code)?.[1] ?? [])
    expect(shown.length).toBeGreaterThan(0)
    for (const option of shown) expect(source).toContain(`'${option}'`)
  })
})
