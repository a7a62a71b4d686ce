import stringWidth from 'string-width'
import { escapeText } from './escape.ts'

export interface Column<T> {
  readonly header: string
  readonly value: (row: T) => string
  /** Colours what is already padded. */
  readonly paint?: (text: string) => string
  /** Only with `-o wide`. */
  readonly wide?: boolean
}

const GAP = '   '

/** Borderless columns as wide as their content, without trailing spaces; hostile text is escaped. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = rows.map((row) => columns.map((column) => escapeText(column.value(row)) || '-'))
  const widths = columns.map((column, at) => Math.max(column.header.length, ...cells.map((row) => stringWidth(row[at] ?? ''))))
  const header = line(
    columns.map((column) => column.header),
    widths,
    [],
  )
  const body = cells.map((row) =>
    line(
      row,
      widths,
      columns.map((column) => column.paint),
    ),
  )
  return [header, ...body].map((text) => `${text}\n`).join('')
}

type Paint = ((text: string) => string) | undefined

function line(cells: readonly string[], widths: readonly number[], paints: readonly Paint[]): string {
  const last = cells.length - 1
  return cells
    .map((cell, at) => {
      const space = at === last ? '' : ' '.repeat((widths[at] ?? 0) - stringWidth(cell))
      return (paints[at]?.(cell) ?? cell) + space
    })
    .join(GAP)
    .trimEnd()
}
