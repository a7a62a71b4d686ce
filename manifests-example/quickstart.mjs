// Shows Drover's main job on this machine: a git repository made from this folder becomes running containers and
// processes. Installs what is missing, builds, and starts `drover up` in the foreground. Plain Node, no dependencies.
//   --exit-when-healthy   end with 0 once all of it is Synced and Healthy, and clean up
//   --down                stop every task of an earlier quick start, and the Docker engine it started
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareCheckout } from '../test/support/setup/checkout.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const home = join(tmpdir(), `drover-quickstart-${process.getuid?.() ?? 0}`)
const repo = join(home, 'repo')
const data = join(home, 'data')
const engineFile = join(home, 'engine.json')
const APP = 'quickstart'
const HEALTHY_WITHIN = '180s'
/** Where `drover up` listens unless told otherwise; the reader's own setting may name another cluster. */
const SERVER = 'http://127.0.0.1:7420'

const say = (line) => process.stderr.write(`${line}\n`)

function drover(args, env) {
  return spawnSync(process.execPath, [join(root, 'dist/src/main.js'), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  }).status
}

function git(...args) {
  const done = spawnSync('git', ['-C', repo, ...args], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`git ${args[0]} failed: ${done.stderr || done.error?.message}`)
}

/** A repository of the reader's own to play with; kept as it is when it is there already. */
function sampleRepository() {
  if (existsSync(join(repo, '.git'))) return
  mkdirSync(repo, { recursive: true, mode: 0o700 })
  cpSync(join(root, 'manifests-example'), repo, { recursive: true, filter: (path) => !path.endsWith('quickstart.mjs') })
  git('init', '--quiet', '--initial-branch=main')
  // So that the reader can commit too on a machine where git knows nobody yet.
  git('config', 'user.name', 'Quick Start')
  git('config', 'user.email', 'quickstart@localhost')
  git('add', '.')
  git('commit', '--quiet', '--message', 'Everything in manifests-example')
}

async function engine() {
  const { ensureDocker } = await import('../test/support/setup/ensure-docker.mjs')
  const { ensureExampleImage } = await import('../test/support/setup/ensure-images.mjs')
  const handle = await ensureDocker({ log: say, directory: join(home, 'docker') })
  mkdirSync(home, { recursive: true, mode: 0o700 })
  if (handle.started !== null) writeFileSync(engineFile, JSON.stringify(handle))
  await ensureExampleImage(handle.socketPath, { log: say })
  return { DOCKER_HOST: `unix://${handle.socketPath}`, DROVER_SERVER: SERVER, DROVER_LOG: process.env.DROVER_LOG ?? 'warn' }
}

/** Where the engine of an earlier quick start answers, so that the containers it runs are found. */
function engineStartedBefore() {
  if (!existsSync(engineFile)) return {}
  return { DOCKER_HOST: `unix://${JSON.parse(readFileSync(engineFile, 'utf8')).socketPath}` }
}

/** Tasks first, then the engine if it was ours, then the files. Ends with what `drover down` ended with. */
async function takeDown(env) {
  const code = existsSync(data) ? drover(['down', '--data-dir', data], env) : 0
  if (existsSync(engineFile)) {
    const { stopDocker } = await import('../test/support/setup/ensure-docker.mjs')
    await stopDocker(JSON.parse(readFileSync(engineFile, 'utf8')))
  }
  rmSync(home, { recursive: true, force: true })
  return code
}

function show(env) {
  for (const args of [['status'], ['get', 'tasks']]) {
    say(`\n$ drover ${args.join(' ')}`)
    drover(args, env)
  }
}

function nextSteps() {
  say(`
It runs. Now change it, from another terminal in this checkout:
  sed -i 's/replicas: 2/replicas: 3/' ${repo}/web/*.yaml
  npx drover plan                                   # what that commit would do (before you commit: npx drover plan ${repo})
  git -C ${repo} commit -qam 'Three of them' && npx drover wait ${APP} --healthy
  npx drover history ${APP}
  git -C ${repo} revert --no-edit HEAD              # or: npx drover rollback ${APP} --to 1
  npx drover why deployment/web
Ctrl-C ends Drover and leaves the tasks running; \`npm run quickstart -- --down\` stops and removes everything.`)
}

async function run(exitWhenHealthy) {
  sampleRepository()
  const env = await engine()
  say(`\n$ drover up --repo ${repo} --app ${APP} --allow-processes --poll 2s`)
  const up = spawn(
    process.execPath,
    [join(root, 'dist/src/main.js'), 'up', '--repo', repo, '--app', APP, '--data-dir', data, '--allow-processes', '--poll', '2s'],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    },
  )
  const ended = new Promise((resolve) => up.once('exit', (code) => resolve(code ?? 1)))
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => up.kill(signal))
  await answers(up)
  const waited = drover(['wait', APP, '--healthy', '--timeout', HEALTHY_WITHIN], env)
  show(env)
  if (!exitWhenHealthy) {
    if (waited === 0) nextSteps()
    return ended
  }
  up.kill('SIGTERM')
  await ended
  await takeDown(env)
  say(waited === 0 ? '\nSynced and Healthy; everything is stopped and removed again.' : '\nIt did not become Healthy in time; see above.')
  return waited
}

async function answers(up) {
  for (let tries = 0; tries < 300 && up.exitCode === null; tries += 1) {
    try {
      await fetch('http://127.0.0.1:7420/livez')
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

const options = process.argv.slice(2)
const unknown = options.filter((option) => !['--exit-when-healthy', '--down'].includes(option))
if (unknown.length > 0) {
  say(`unknown option ${unknown[0]}; there are --exit-when-healthy and --down`)
  process.exitCode = 2
} else {
  prepareCheckout(root, say)
  process.exitCode = options.includes('--down') ? await takeDown(engineStartedBefore()) : await run(options.includes('--exit-when-healthy'))
}
