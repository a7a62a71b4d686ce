import { must } from '../../src/lib/must.ts'
import { type CheckedFile, parseBlob } from '../../src/manifest/blob.ts'
import { type Linked, link } from '../../src/manifest/link.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import type { Problem } from '../../src/model/records.ts'

export const HEAD = 'apiVersion: drover.dev/v1\n'

export const said = ({ line, column, message, hint }: Problem): string => `${line}:${column} ${message}${hint === null ? '' : ` | ${hint}`}`

export const configMap = (name: string, data = ''): string => `${HEAD}kind: ConfigMap\nmetadata: {name: ${name}}\n${data}`

/** A small valid workload; `spec` and `template` are further lines, without indent. */
export function workload(
  kind: 'Deployment' | 'Job',
  name: string,
  more: { spec?: string[]; template?: string[]; unit?: string[] } = {},
): string {
  const indented = (lines: string[] = [], by: number): string => lines.map((line) => `${' '.repeat(by)}${line}\n`).join('')
  const unit = `      processes:\n        - name: main\n          command: [run]\n${indented(more.unit, 10)}`
  return `${HEAD}kind: ${kind}\nmetadata: {name: ${name}}\nspec:\n${indented(more.spec, 2)}  template:\n    spec:\n${indented(more.template, 6)}${unit}`
}

/** The one manifest of a text that must be valid. */
export function manifestOf(text: string): Manifest {
  const file = parseBlob('a.yaml', text)
  if (file.problems.length > 0) throw new Error(file.problems.map(said).join('\n'))
  return must(file.documents[0]?.manifest, 'the text is valid')
}

/** Links texts named by path. */
export function linkTexts(texts: Record<string, string>, app?: { path: string }): Linked {
  const files: CheckedFile[] = Object.entries(texts).map(([path, text]) => parseBlob(path, text))
  return link(files, app)
}
