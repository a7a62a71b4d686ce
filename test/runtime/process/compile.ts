import { execFile } from 'node:child_process'
import { mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../../..')

/** Compiles one file (a path from the root, or a URL) with what it imports, so that many children of it start quickly; gives the new root. */
export async function compile(file: string | URL): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), 'drover-compiled-'))
  const project = {
    extends: join(ROOT, 'tsconfig.json'),
    files: [typeof file === 'string' ? join(ROOT, file) : fileURLToPath(file)],
    include: [],
  }
  const options = { rootDir: ROOT, outDir: out, noEmit: false, noCheck: true, typeRoots: [join(ROOT, 'node_modules/@types')] }
  await writeFile(join(out, 'tsconfig.json'), JSON.stringify({ ...project, compilerOptions: options }))
  await writeFile(join(out, 'package.json'), '{"type":"module"}')
  await symlink(join(ROOT, 'node_modules'), join(out, 'node_modules'))
  await promisify(execFile)(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', out])
  return out
}
