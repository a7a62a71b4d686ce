import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ownFolder, removeDaemonFolder, startDaemon, stopDaemon } from './dockerd.mjs'
import { callEngine, engineAnswers } from './engine.mjs'
import { ensurePrograms } from './install.mjs'
import { cleanIptables, forwardPolicy } from './iptables.mjs'

/** One well-known place, so that a second caller on this machine finds the first one's engine. */
const DEFAULT_DIRECTORY = join(tmpdir(), 'drover-docker')

/**
 * A Docker engine: the one that DOCKER_HOST or the machine offers, else one of our own below `directory`,
 * with its own data, and installed first where that is possible (root, apt-get).
 * `started` is the process id to stop later, null when the engine was there already.
 * @throws Error that says what to install, or how far the daemon came
 */
export async function ensureDocker({ log, directory = DEFAULT_DIRECTORY } = {}) {
  const found = await findEngine(directory)
  if (found !== null) return found
  const { dockerd } = await ensurePrograms({ programs: ['dockerd', 'iptables'], packages: ['docker.io', 'iptables'], log })
  const broughtByInstall = await findEngine(directory)
  if (broughtByInstall !== null) return broughtByInstall
  log?.(`starting dockerd in ${directory}`)
  await ownFolder(directory)
  await writeFile(policyFile(directory), await forwardPolicy())
  const pid = await startDaemon({ dockerd, directory, args: [] })
  return { socketPath: join(directory, 'docker.sock'), started: pid, dataRoot: join(directory, 'data') }
}

const policyFile = (directory) => join(directory, 'forward-policy')

async function findEngine(directory) {
  const host = process.env.DOCKER_HOST ?? ''
  const candidates = [
    host.startsWith('unix://') ? host.slice('unix://'.length) : '',
    '/var/run/docker.sock',
    join(directory, 'docker.sock'),
  ]
  for (const socketPath of candidates.filter((path) => path !== '')) {
    if (await engineAnswers(socketPath)) return { socketPath, started: null, dataRoot: null }
  }
  return null
}

/** Stops what `ensureDocker` started, with its containers, bridges, firewall chains and data; else does nothing. */
export async function stopDocker(handle) {
  if (handle.started === null) return
  await emptyEngine(handle.socketPath)
  await stopDaemon(handle.started)
  const directory = dirname(handle.socketPath)
  await cleanIptables(await readFile(policyFile(directory), 'utf8'))
  await removeDaemonFolder(directory)
}

/** Removes all containers and networks. Bridges of networks outlive a daemon, so they go while it still runs; a daemon that is dead has no say. */
export async function emptyEngine(socketPath) {
  if (!(await engineAnswers(socketPath))) return
  const containers = JSON.parse((await callEngine({ socketPath, path: '/containers/json?all=true' })).text)
  await Promise.all(containers.map(({ Id }) => callEngine({ socketPath, method: 'DELETE', path: `/containers/${Id}?force=true&v=true` })))
  await callEngine({ socketPath, method: 'POST', path: '/networks/prune' })
}
