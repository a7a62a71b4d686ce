#!/usr/bin/env node
import { createInterface } from 'node:readline/promises'
import { runCli } from './cli/main.ts'
import { systemClock } from './lib/clock.ts'
import type { Surroundings } from './main/surroundings.ts'

/** The composition root: here, and below `main/`, adapters are built; everything heavy is loaded when it is asked for. */
const VERSION = '0.1.0'
const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new Error(`ended by ${name}`)))

// A reader that has seen enough (`drover logs … | head`) ends the program quietly, as it ends any other.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

async function surroundings(): Promise<Surroundings> {
  const { createLog } = await import('./main/log.ts')
  const dockerSocket = (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '')
  return { log: createLog(process.env), version: VERSION, dockerSocket, env: process.env, say: (line) => process.stderr.write(`${line}\n`) }
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  isTTY: { stdin: process.stdin.isTTY === true, stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
  cwd: process.cwd(),
  signal: stop.signal,
  clock: systemClock,
  version: VERSION,
  fetch,
  trustingFetch: async (roots) => (await import('./main/trusting-fetch.ts')).trustingFetch(roots),
  ask,
  roles: {
    up: async (options, signal) => (await import('./main/up.ts')).up(options, await surroundings(), signal),
    server: async (options, signal) => (await import('./main/server.ts')).server(options, await surroundings(), signal),
    agent: async (options, signal) => (await import('./main/agent.ts')).agent(options, await surroundings(), signal),
    down: async (options, signal) => (await import('./main/down.ts')).down(options, await surroundings(), signal),
  },
  readRepo: async (asked) => (await import('./main/read-repo.ts')).readRepo(asked),
  backups: async () => (await import('./main/backup-tools.ts')).backupTools({ env: process.env, version: VERSION }),
  secrets: async () => (await import('./main/secret-tools.ts')).secretTools(process.env),
})
