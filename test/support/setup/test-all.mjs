// `npm test`: sets up this checkout, then runs every project of vitest.config.ts one after the other, so that what
// needs Docker or etcd does not compete with what measures behaviour. Ends with one summary line for all.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareCheckout } from './checkout.mjs'

const PROJECTS = ['unit', 'sim', 'etcd', 'docker', 'e2e']
const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** Counts of one project; a run that wrote no report failed as a whole. */
function runProject(project, folder) {
  const report = join(folder, `${project}.json`)
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    const { numPassedTests: passed, numFailedTests: failed, numTotalTests: total } = JSON.parse(readFileSync(report, 'utf8'))
    return { passed, failed: status === 0 ? failed : Math.max(1, failed), missing: total - passed - failed }
  } catch {
    return { passed: 0, failed: 1, missing: 0 }
  }
}

prepareCheckout(root, (line) => process.stderr.write(`${line}\n`))
const folder = mkdtempSync(join(tmpdir(), 'drover-test-'))
const asked = process.argv.slice(2)
const results = (asked.length === 0 ? PROJECTS : asked).map((project) => runProject(project, folder))
rmSync(folder, { recursive: true })
const sum = (field) => results.reduce((total, result) => total + result[field], 0)
process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed${sum('missing') > 0 ? `, ${sum('missing')} skipped` : ''}\n`)
process.exitCode = sum('failed') === 0 && sum('passed') > 0 ? 0 : 1
