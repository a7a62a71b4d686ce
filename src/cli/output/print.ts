import type { CliDeps } from '../deps.ts'
import { type Colors, colorsFor } from './colors.ts'
import { type Column, table } from './table.ts'

export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'name'

export interface Listing<T> {
  readonly columns: readonly Column<T>[]
  readonly name: (row: T) => string
}

/** Data goes to stdout, and everything said about it to stderr. */
export class Printer {
  readonly colors: Colors
  /** Of what is said on stderr, which may be a terminal where stdout is none. */
  readonly asideColors: Colors
  readonly #deps: CliDeps
  constructor(deps: CliDeps, plain: boolean) {
    this.#deps = deps
    this.colors = colorsFor({ env: deps.env, isTTY: deps.isTTY.stdout, plain })
    this.asideColors = colorsFor({ env: deps.env, isTTY: deps.isTTY.stderr, plain })
  }

  out(text: string): void {
    this.#deps.stdout.write(text)
  }

  say(text: string): void {
    this.#deps.stderr.write(`${text}\n`)
  }

  /** `json` or `yaml` of a whole value. */
  async value(format: 'json' | 'yaml', value: unknown): Promise<void> {
    if (format === 'json') return this.out(`${JSON.stringify(value, null, 2)}\n`)
    const { stringify } = await import('yaml')
    this.out(stringify(value, { lineWidth: 0 }))
  }

  /** A list in any format; `{items}` for machines, one sentence on stderr when there is nothing to show people. */
  async list<T>(format: Format, rows: readonly T[], listing: Listing<T>): Promise<void> {
    if (format === 'json' || format === 'yaml') return this.value(format, { items: rows })
    if (format === 'name') return this.out(rows.map((row) => `${listing.name(row)}\n`).join(''))
    if (rows.length === 0) return this.say('nothing found')
    this.out(table(columnsFor(format, listing.columns), rows))
  }
}

export const columnsFor = <T>(format: Format, columns: readonly Column<T>[]): Column<T>[] =>
  columns.filter((column) => format === 'wide' || column.wide !== true)
