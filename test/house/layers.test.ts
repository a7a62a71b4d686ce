import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Lints a text as if it were that file, with the project's own configuration. */
function lint(path: string, text: string): string {
  const { stdout, stderr } = spawnSync('node_modules/.bin/biome', ['lint', `--stdin-file-path=${path}`], { input: text, encoding: 'utf8' })
  return stdout + stderr
}

const FORBIDDEN: readonly [string, string][] = [
  ['src/model/x.ts', '../core/health.ts'],
  ['src/model/x.ts', 'yaml'],
  ['src/manifest/x.ts', '../lib/must.ts'],
  ['src/manifest/x.ts', 'node:fs/promises'],
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
  ['runtime/x.ts', '../src/store/store.ts'],
  ['runtime/x.ts', '../src/core/reconcile.ts'],
  ['runtime/drivers/docker/x.ts', '../../../src/control/control.ts'],
]

const ALLOWED: readonly [string, string][] = [
  ['src/core/x.ts', '../model/ids.ts'],
  ['src/core/schedule/x.ts', '../health.ts'],
  ['src/control/x.ts', '../core/health.ts'],
  ['src/cli/commands/x.ts', '../../core/diff.ts'],
  ['runtime/x.ts', '../src/core/task.ts'],
  ['runtime/drivers/docker/x.ts', '../../../src/lib/clock.ts'],
]

describe('the import rules', () => {
  it.each(FORBIDDEN)('%s may not import %s', (path, target) => {
    expect(lint(path, `import { a } from '${target}'\nexport const b = a\n`)).toContain('noRestrictedImports')
  })

  it.each(ALLOWED)('%s may import %s', (path, target) => {
    expect(lint(path, `import { a } from '${target}'\nexport const b = a\n`)).not.toContain('noRestrictedImports')
  })

  it('catches type imports too', () => {
    expect(lint('src/core/x.ts', "import type { A } from '../store/store.ts'\nexport type B = A\n")).toContain('noRestrictedImports')
  })
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

  it.each(['Date', 'setTimeout', 'performance'])('may not name %s', (name) => {
    expect(lint('src/core/x.ts', `export const a = ${name}\n`)).toContain('noRestrictedGlobals')
  })
})
