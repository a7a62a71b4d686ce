import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

const MAIN = resolve('dist/src/main.js')

export interface NextVersion {
  readonly version: string
  /** The program, as `Role.program` takes it. */
  readonly program: string
  remove(): void
}

/** The built program under another version, beside the first, whose modules it shares. */
export function nextVersion(version: string): NextVersion {
  const program = resolve(`dist/src/main-${version}-${process.pid}.js`)
  const text = readFileSync(MAIN, 'utf8')
  const next = text.replace(/const VERSION = '[^']*'/, `const VERSION = '${version}'`)
  if (next === text) throw new Error(`${MAIN} does not say its version where it did`)
  writeFileSync(program, next, { mode: 0o755 })
  return { version, program, remove: () => rmSync(program, { force: true }) }
}
