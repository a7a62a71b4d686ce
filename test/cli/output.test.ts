import fc from 'fast-check'
import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { DOCTOR_CHECKS } from '../../src/cli/doctor.ts'
import { escapeLines, escapeText } from '../../src/cli/output/escape.ts'
import { table } from '../../src/cli/output/table.ts'
import { span } from '../../src/cli/output/time.ts'
import { sameRevision, shortRevision } from '../../src/cli/read.ts'
import { cliOver } from '../support/fake-cli.ts'
import { fakeControl } from '../support/fake-control.ts'
import { COMMIT_1, REVISION_1 } from '../support/fake-views.ts'

describe('hostile text', () => {
  it.each([
    ['\u001b[2J', '\\e[2J'],
    ['a\r\nb', 'a\\r\\nb'],
    ['\u0000\u007f\u009b', '\\x00\\x7f\\x9b'],
    ['\u202egnp.exe', '\\u{202e}gnp.exe'],
    ['a\u200bb\u2066c\ufeff', 'a\\u{200b}b\\u{2066}c\\u{feff}'],
    ['\ud800', '\\u{d800}'],
    ['größer 世界 🚀\tx', 'größer 世界 🚀\tx'],
  ])('%j', (text, shown) => expect(escapeText(text)).toBe(shown))

  it('never leaves a control, direction or invisible character', () => {
    const unsafe = /(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
    const hostile = fc.string({ unit: 'binary' })
    fc.assert(
      fc.property(hostile, (text) => !unsafe.test(escapeText(text))),
      { numRuns: 500 },
    )
    fc.assert(fc.property(hostile, (text) => escapeLines(text).split('\n').length === text.split('\n').length))
  })
})

describe('tables', () => {
  it('keep columns apart whatever is in them', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 12 })
    const columns = [
      { header: 'A', value: (row: readonly [string, string]) => row[0] },
      { header: 'B', value: () => 'b' },
    ]
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), (rows) => {
        const lines = table(columns, rows).trimEnd().split('\n')
        return lines.length === rows.length + 1 && new Set(lines.map((line) => stringWidth(line))).size === 1
      }),
    )
  })
})

describe('ages', () => {
  it.each([
    [-5, '0s'],
    [90_000, '90s'],
    [150_000, '2m30s'],
    [3_600_000, '60m'],
    [4 * 3_600_000 + 60_000, '4h1m'],
    [30 * 3_600_000, '30h'],
    [3 * 86_400_000, '3d'],
  ])('%i', (ms, text) => expect(span(ms)).toBe(text))
})

describe('revisions', () => {
  it('are the same by commit, by its first digits or as a whole', () => {
    for (const wanted of [REVISION_1, COMMIT_1, COMMIT_1.slice(0, 4), `other@sha1:${COMMIT_1}`])
      expect(sameRevision(wanted, REVISION_1)).toBe(true)
    for (const wanted of ['111', '', 'main', '2222', 'main@sha1:']) expect(sameRevision(wanted, REVISION_1)).toBe(false)
    expect(sameRevision('1111', null)).toBe(false)
    expect(shortRevision(REVISION_1)).toBe('main@1111111')
  })
})

describe('doctor', () => {
  const Findings = z.object({
    items: z.array(
      z.object({ check: z.string(), verdict: z.enum(['ok', 'warn', 'fail']), detail: z.string(), fix: z.string().nullable() }),
    ),
  })

  it('looks at everything, and says what to do about what is not right', async () => {
    const { stdout, stderr } = await cliOver(fakeControl(), { fetch: globalThis.fetch }).run(
      ...['doctor', '-o', 'json', '--data-dir', '/nonexistent/drover', '--server', 'http://127.0.0.1:9'],
    )
    const { items } = Findings.parse(JSON.parse(stdout))
    expect(stderr).toBe('')
    expect(items).toHaveLength(DOCTOR_CHECKS.length)
    for (const { verdict, fix } of items) expect(fix === null).toBe(verdict === 'ok')
    expect(items.find(({ check }) => check === 'node')).toMatchObject({ verdict: 'ok' })
    expect(items.find(({ check }) => check === 'server')).toMatchObject({
      verdict: 'warn',
      detail: 'nothing answers at http://127.0.0.1:9',
    })
  })

  it('finds a server that is ready', async () => {
    const { stdout } = await cliOver().run('doctor')
    expect(stdout).toMatch(/server\s+ok\s+http:\/\/127\.0\.0\.1:7420 is ready/)
  })
})
