import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Lints texts as if they were files of the project, with its own configuration; the rules each one broke. */
function lintAll(files: Readonly<Record<string, string>>): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'drover-layers-'))
  try {
    copyFileSync('biome.json', join(folder, 'biome.json'))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const { stdout, stderr } = spawnSync(resolve('node_modules/.bin/biome'), ['lint', '--max-diagnostics=none', '.'], {
      cwd: folder,
      encoding: 'utf8',
    })
    const lines = `${stdout}${stderr}`.split('\n')
    return Object.fromEntries(Object.keys(files).map((path) => [path, lines.filter((line) => line.startsWith(`${path}:`)).join('\n')]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const FORBIDDEN: readonly [string, string][] = [
  ['src/model/x.ts', '../core/health.ts'],
  ['src/model/x.ts', 'yaml'],
  ['src/manifest/x.ts', '../lib/must.ts'],
  ['src/manifest/x.ts', 'node:fs/promises'],
  ['src/manifest/x.ts', 'node-cron'],
  ['src/core/x.ts', '../lib/must.ts'],
  ['src/core/x.ts', 'node:crypto'],
  ['src/core/x.ts', 'zod'],
  ['src/core/schedule/x.ts', '../../store/store.ts'],
  ['src/lib/x.ts', '../core/health.ts'],
  ['src/store/x.ts', '../control/lead.ts'],
  ['src/store/etcd/x.ts', '../../core/health.ts'],
  ['src/git/x.ts', '../control/source.ts'],
  ['src/control/x.ts', '../api/app.ts'],
  ['src/control/x.ts', '../../runtime/agent.ts'],
  ['src/api/x.ts', '../store/store.ts'],
  ['src/cli/x.ts', '../control/control.ts'],
  ['src/cli/commands/x.ts', '../../store/store.ts'],
  ['src/cli/commands/x.ts', '../../secrets/sops.ts'],
  ['src/control/source/x.ts', '../../secrets/sops.ts'],
  ['src/secrets/x.ts', '../manifest/parse.ts'],
  ['src/secrets/x.ts', '../cli/exit.ts'],
  ['src/secrets/x.ts', 'zod'],
  ['src/secrets/x.ts', 'node:fs'],
  ['src/secrets/x.ts', 'node:child_process'],
  ['src/trust/x.ts', '../store/store.ts'],
  ['src/trust/x.ts', 'node:fs/promises'],
  ['src/api/x.ts', '../trust/authority.ts'],
  ['src/cli/x.ts', '../trust/authority.ts'],
  ['src/lib/x.ts', '../trust/token.ts'],
  ['runtime/x.ts', '../src/trust/authority.ts'],
  ['runtime/x.ts', '../src/secrets/sops.ts'],
  ['runtime/x.ts', '../src/store/store.ts'],
  ['runtime/x.ts', '../src/core/reconcile.ts'],
  ['runtime/drivers/docker/x.ts', '../../../src/control/control.ts'],
]

const ALLOWED: readonly [string, string][] = [
  ['src/manifest/cron.ts', 'node-cron'],
  ['src/core/x.ts', '../model/ids.ts'],
  ['src/core/schedule/x.ts', '../health.ts'],
  ['src/core/batch/x.ts', '../calendar/calendar.ts'],
  ['src/control/x.ts', '../core/health.ts'],
  ['src/cli/commands/x.ts', '../../core/diff.ts'],
  ['src/secrets/x.ts', '../model/secret.ts'],
  ['src/secrets/x.ts', '../lib/errors.ts'],
  ['src/secrets/x.ts', 'age-encryption'],
  ['src/secrets/x.ts', 'node:crypto'],
  ['src/trust/x.ts', '../lib/seal.ts'],
  ['src/control/x.ts', '../trust/authority.ts'],
  ['src/cli/commands/x.ts', '../../trust/token.ts'],
  ['runtime/x.ts', '../src/trust/csr.ts'],
  ['src/main/x.ts', '../secrets/sops.ts'],
  ['runtime/x.ts', '../src/core/task.ts'],
  ['runtime/drivers/docker/x.ts', '../../../src/lib/clock.ts'],
]

const fileOf = (path: string, index: number): string => path.replace('x.ts', `x${index}.ts`)
const cases = [...FORBIDDEN, ...ALLOWED].map(([path, target], index) => ({ file: fileOf(path, index), target }))
const TYPE_IMPORT = 'src/core/type-import.ts'
const GLOBALS = ['Date', 'setTimeout', 'performance']
const found = lintAll({
  ...Object.fromEntries(cases.map(({ file, target }) => [file, `import { a } from '${target}'\nexport const b = a\n`])),
  ...Object.fromEntries(GLOBALS.map((name) => [`src/core/${name}.ts`, `export const a = ${name}\n`])),
  [TYPE_IMPORT]: "import type { A } from '../store/store.ts'\nexport type B = A\n",
})

describe('the import rules', () => {
  it.each(cases.slice(0, FORBIDDEN.length))('$file may not import $target', ({ file }) =>
    expect(found[file]).toContain('noRestrictedImports'),
  )

  it.each(cases.slice(FORBIDDEN.length))('$file may import $target', ({ file }) => expect(found[file]).not.toContain('noRestrictedImports'))

  it('catches type imports too', () => expect(found[TYPE_IMPORT]).toContain('noRestrictedImports'))
})

describe('the pure folders', () => {
  const pure = ['src/model', 'src/manifest', 'src/core']
  const sources = pure.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file)),
  )

  it('are really looked at', () => expect(sources.length).toBeGreaterThan(40))

  it.each(sources)('%s holds no randomness', (file) => expect(readFileSync(file, 'utf8')).not.toMatch(/Math\.random|randomUUID/))

  it.each(GLOBALS)('may not name %s', (name) => expect(found[`src/core/${name}.ts`]).toContain('noRestrictedGlobals'))
})
