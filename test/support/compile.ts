import { execFile } from 'node:child_process'
import { mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')

/** Compiles files (paths from the root, or URLs) with what they import, so that many children of them start quickly; gives the new root. */
export async function compile(...files: readonly (string | URL)[]): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), 'drover-compiled-'))
  const project = {
    extends: join(ROOT, 'tsconfig.json'),
    files: files.map((file) => (typeof file === 'string' ? join(ROOT, file) : fileURLToPath(file))),
    include: [],
  }
  const options = { rootDir: ROOT, outDir: out, noEmit: false, noCheck: true, typeRoots: [join(ROOT, 'node_modules/@types')] }
  await writeFile(join(out, 'tsconfig.json'), JSON.stringify({ ...project, compilerOptions: options }))
  await writeFile(join(out, 'package.json'), '{"type":"module"}')
  await symlink(join(ROOT, 'node_modules'), join(out, 'node_modules'))
  await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', out])
  return out
}
