import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { INVARIANTS, type InvariantName, SHOWN_ELSEWHERE } from './invariants.ts'
import { CORE_BUGS } from './plants/core-bugs.ts'
import { WOVEN } from './plants/modules.mjs'
import { SEAM_BUGS } from './plants/seam-bugs.ts'

const TABLE = 'test/sim/README.md'
const isRow = (line: string): boolean => /^\| (INV-\d|- )/.test(line)
const names = Object.keys(INVARIANTS) as InvariantName[]
const bugs = [...SEAM_BUGS, ...CORE_BUGS]
const invOf = (name: InvariantName): readonly number[] => INVARIANTS[name].inv
const bugsOf = (name: InvariantName): string[] => bugs.filter(({ caughtBy }) => caughtBy.includes(name)).map((bug) => bug.name)

/** A row for each invariant, in the order of the catalogue; `-`: the product's own checks, which end a run first, leave no bug to plant. */
function rows(): string[] {
  const least = (name: InvariantName): number => invOf(name)[0] ?? 99
  const order = [...names].sort((a, b) => least(a) - least(b) || names.indexOf(a) - names.indexOf(b))
  return order.map((name) => {
    const inv = invOf(name).map((number) => `INV-${number}`)
    return `| ${inv.join(', ') || '-'} | \`${name}\` | ${INVARIANTS[name].says} | ${bugsOf(name).join(', ') || '-'} |`
  })
}

describe('the invariants', () => {
  it('are each watched by a checker, or shown on real machines', () => {
    const watched = new Set(names.flatMap(invOf))
    const unwatched = Array.from({ length: 17 }, (_, index) => index + 1).filter((number) => !watched.has(number))
    expect(unwatched.map((number) => SHOWN_ELSEWHERE[number]).map((path) => path !== undefined && existsSync(path))).toEqual([true, true])
  })

  it('are told in the table of the README as they are', async () => {
    const text = await readFile(TABLE, 'utf8')
    const lines = text.split('\n')
    if (process.env.UPDATE_GOLDENS === '1') {
      const others = lines.filter((line) => !isRow(line)).join('\n')
      await writeFile(TABLE, `${others.trimEnd()}\n${rows().join('\n')}\n`)
    } else expect(lines.filter(isRow)).toEqual(rows())
  })
})

describe('the planted bugs', () => {
  it('are 25 or more, each with a name of its own', () => {
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length)
    expect(bugs.length).toBeGreaterThanOrEqual(25)
  })

  it('are woven into the modules that the hooks know', () => {
    expect(new Set(CORE_BUGS.map(({ module }) => module))).toEqual(new Set(Object.keys(WOVEN)))
  })
})
