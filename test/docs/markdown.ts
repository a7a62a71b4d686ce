import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const EXAMPLES = 'manifests-example'

export interface Block {
  /** Word after the fence. */
  readonly language: string
  readonly text: string
  /** What the HTML comment on the line above says; null without one. */
  readonly mark: string | null
}

export interface Doc {
  /** From the root of the project. */
  readonly path: string
  /** Without the fenced blocks. */
  readonly prose: string
  readonly blocks: readonly Block[]
}

const FENCE = /^(?:<!-- (?<mark>.+) -->\n)?```(?<language>\w*)\n(?<text>[\s\S]*?)^```$/gm

function docOf(path: string): Doc {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const blocks = [...text.matchAll(FENCE)].map(({ groups }) => ({
    language: groups?.language ?? '',
    text: groups?.text ?? '',
    mark: groups?.mark ?? null,
  }))
  return { path, prose: text.replace(FENCE, ''), blocks }
}

const stories = readdirSync(join(ROOT, EXAMPLES), { withFileTypes: true }).filter((entry) => entry.isDirectory())

export const README = docOf('README.md')
export const CATALOGUE = docOf('docs/failure-catalogue.md')
export const DOCS: readonly Doc[] = [
  README,
  CATALOGUE,
  docOf('CONTRIBUTING.md'),
  ...readdirSync(join(ROOT, 'docs')).map((name) => docOf(`docs/${name}`)),
  docOf(`${EXAMPLES}/README.md`),
  ...stories.map(({ name }) => docOf(`${EXAMPLES}/${name}/README.md`)),
]

export const inlineCode = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '')

/** Cells of the tables below a heading, without the rows that name the columns. */
export function tableRows({ prose }: Doc, heading: string): string[][] {
  const [, below = ''] = prose.split(`\n## ${heading}\n`)
  const [section = ''] = below.split('\n## ')
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  const isHead = (index: number): boolean => /^\|-/.test(lines[index] ?? '') || /^\|-/.test(lines[index + 1] ?? '')
  return lines.filter((_, index) => !isHead(index)).map(cells)
}

const cells = (line: string): string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))

/** Commands of a block, one each: lines of `sh`, lines after `$ ` of a `console`; comments, where output goes and output are no commands. */
export function commandsOf({ language, text }: Block): string[] {
  const lines = text.split('\n').map((line) => line.replace(/(^|\s)#.*$/, '').replace(/\s>\s*\S+$/, ''))
  const typed = language === 'console' ? lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2)) : lines
  const isTyped = language === 'sh' || language === 'console'
  return isTyped ? typed.flatMap((line) => line.split(/ && | \| /)).flatMap((command) => command.trim() || []) : []
}

/** Words as a shell sees them, of what the documents use: spaces and quotes. */
export const wordsOf = (command: string): string[] =>
  [...command.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) => word.replace(/['"]/g, ''))
