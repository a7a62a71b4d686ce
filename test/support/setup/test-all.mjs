// `npm test`: sets up this checkout, then runs every project of vitest.config.ts in stages, so that what needs Docker or
// etcd does not compete with what measures behaviour. Ends with what failed, by name and reason, and
// one summary line for all: a long run's output is often read from its end, or cut.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareCheckout } from './checkout.mjs'

/**
 * One stage after the other; in each its lanes side by side, and the projects of a lane in turn. The simulator only
 * computes, on a clock of its own, while the others mostly wait for machines.
 */
const STAGES = [
  [['unit']],
  [
    ['sim', 'cluster'],
    ['sandbox', 'etcd', 'docker'],
  ],
  [['e2e']],
]
const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

const REASON_LINES = 12

/** The failed tests of a report as lines: file, full name and the head of the reason. */
function failuresOf(project, suites) {
  return suites.flatMap(({ name: file, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === 'failed')
    const own = message === '' || failed.length > 0 ? [] : [{ fullName: '(the file itself)', failureMessages: [message] }]
    return [...failed, ...own].map(({ fullName, failureMessages }) => {
      const reason = failureMessages.join('\n').split('\n').slice(0, REASON_LINES)
      return [`FAILED ${project} ${relative(root, file)} > ${fullName}`, ...reason.map((line) => `  ${line}`)].join('\n')
    })
  })
}

/** Counts of one project and its failures; a run that wrote no report failed as a whole. */
async function runProject(project, folder) {
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
  const [status] = await once(spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }), 'exit')
  try {
    const { numPassedTests: passed, numFailedTests, numTotalTests: total, testResults } = JSON.parse(readFileSync(report, 'utf8'))
    const failed = status === 0 ? numFailedTests : Math.max(1, numFailedTests)
    const failures = failuresOf(project, testResults)
    if (failed > 0 && failures.length === 0) failures.push(`FAILED ${project}: no test did, but vitest ended with ${status}`)
    return { passed, failed, missing: total - passed - numFailedTests, failures }
  } catch (error) {
    return { passed: 0, failed: 1, missing: 0, failures: [`FAILED ${project}: vitest left no report: ${error.message}`] }
  }
}

prepareCheckout(root, (line) => process.stderr.write(`${line}\n`))
const folder = mkdtempSync(join(tmpdir(), 'drover-test-'))
const asked = process.argv.slice(2)
const results = []
for (const lanes of asked.length === 0 ? STAGES : asked.map((project) => [[project]])) {
  const runs = lanes.map(async (lane) => {
    for (const project of lane) results.push(await runProject(project, folder))
  })
  await Promise.all(runs)
}
rmSync(folder, { recursive: true })
for (const failure of results.flatMap(({ failures }) => failures)) process.stdout.write(`\n${failure}\n`)
const sum = (field) => results.reduce((total, result) => total + result[field], 0)
process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed${sum('missing') > 0 ? `, ${sum('missing')} skipped` : ''}\n`)
process.exitCode = sum('failed') === 0 && sum('passed') > 0 ? 0 : 1
