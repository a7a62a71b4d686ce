import { randomBytes } from 'node:crypto'
import { basename, join, resolve } from 'node:path'
import { createLocalUplink } from '../../runtime/local-uplink.ts'
import { createAgent } from '../../runtime/main.ts'
import { createApi } from '../api/app.ts'
import { serveApi } from '../api/serve.ts'
import type { UpOptions } from '../cli/deps.ts'
import type { AgentGate } from '../control/agents/agent-gate.ts'
import { type Control, createControl } from '../control/control.ts'
import { createParsePool } from '../control/source/parse-pool.ts'
import { Renderer } from '../control/source/render.ts'
import { createFileTreeStore } from '../control/source/tree-store.ts'
import { Vault } from '../control/source/vault.ts'
import { openRepository } from '../git/open.ts'
import { packGitTree } from '../git/pack-tree.ts'
import { digestOf } from '../lib/canonical.ts'
import { systemClock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Keyring } from '../lib/seal.ts'
import { loadIdentities } from '../secrets/identities.ts'
import { openSops } from '../secrets/sops.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { lockDataDir } from './data-dir.ts'
import { keyringOf } from './keyring.ts'
import { untilHealthy } from './until-healthy.ts'

export interface Surroundings {
  readonly log: Logger
  readonly version: string
  readonly dockerSocket: string
  /** Of this process; where SOPS looks for age keys too. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** For people; everything but data. */
  readonly say: (line: string) => void
}

/** Control plane and agent in one process, until the signal aborts; tasks go on running after that. */
export async function up(options: UpOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  const lock = await lockDataDir(options.dataDir)
  try {
    return await withStore(options, around, signal)
  } finally {
    await lock.release()
  }
}

async function withStore(options: UpOptions, around: Surroundings, signal: AbortSignal): Promise<number> {
  const store = await openStore(options.store, { dataDir: join(options.dataDir, 'store'), clock: systemClock })
  try {
    return await runUp(options, { ...around, store }, signal)
  } finally {
    await store.close()
  }
}

interface Open extends Surroundings {
  readonly store: Store
  /** What is to be closed when it is over, the last first. */
  readonly closers: (() => Promise<unknown>)[]
}

/** However it ends, nothing it opened stays behind: an open port or a leader that campaigns on would keep the process alive. */
async function runUp(options: UpOptions, open: Surroundings & { store: Store }, signal: AbortSignal): Promise<number> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const closers: Open['closers'] = []
  try {
    const { end, parts } = await openParts(options, { ...open, closers }, either)
    const code = await Promise.race([end, ...parts.map((part) => fails(part, either))])
    over.abort()
    await Promise.all(parts)
    return code
  } finally {
    over.abort()
    for (const close of closers.toReversed()) await close()
  }
}

interface Parts {
  readonly end: Promise<number>
  /** Control plane and agent; they run until the signal aborts. */
  readonly parts: readonly Promise<void>[]
}

async function openParts(options: UpOptions, open: Open, signal: AbortSignal): Promise<Parts> {
  const { log, version, say, closers } = open
  const parser = createParsePool(new URL('../control/source/parse-worker.js', import.meta.url))
  closers.push(() => parser.close())
  const keyring = await keyringOf(options.dataDir)
  const control = await controlOf(options, open, new Renderer(parser, vaultOf(options, open, keyring)))
  const leading = control.run(signal)
  closers.push(() => Promise.allSettled([leading]))
  const serving = await serveApi({
    api: createApi({ control: control.plane, gate: control.gate, log, clock: systemClock }),
    gate: control.gate,
    log,
    clock: systemClock,
    host: options.host,
    port: options.port,
  })
  closers.push(() => serving.close())
  say(`drover ${version} at ${serving.url}, following ${options.repo} ${options.ref}`)
  const agent = await createAgent({
    stateDir: join(options.dataDir, 'agent'),
    version,
    cluster: 'local',
    labels: options.labels,
    processes: options.processes,
    privateDirs: [options.dataDir],
    dockerSocket: open.dockerSocket,
    openSecret: async (value) => keyring.open(value),
    clock: systemClock,
    random: Math.random,
    log,
  })
  closers.push(() => agent.close())
  const working = agent.run(createLocalUplink(localGate(control, signal)), signal)
  closers.push(() => Promise.allSettled([working]))
  const end = options.exitWhenHealthy
    ? untilHealthy(control.plane, { app: appName(options), timeoutMs: options.timeoutMs, clock: systemClock, signal })
    : aborted(signal)
  return { end, parts: [leading, working] }
}

/** The age keys are read when a Secret is opened, so one that was put there meanwhile is found. */
function vaultOf({ ageKeyFile }: UpOptions, { env }: Open, keyring: Keyring): Vault {
  return new Vault({
    open: async (document) => openSops(document, await loadIdentities({ env, file: ageKeyFile })),
    seal: keyring.seal,
  })
}

function controlOf(options: UpOptions, { log, version, store }: Open, renderer: Renderer): Promise<Control> {
  return createControl({
    store,
    clock: systemClock,
    random: Math.random,
    log,
    version,
    renderer,
    newId,
    app: {
      name: appName(options),
      source: { repo: isPath(options.repo) ? resolve(options.repo) : options.repo, ref: options.ref, path: options.path },
    },
    openRepository: ({ repo }) =>
      openRepository({ repo, dir: join(options.dataDir, 'git', digestOf(repo).slice(0, 16)), clock: systemClock, random: Math.random }),
    packTree: packGitTree,
    trees: createFileTreeStore(join(options.dataDir, 'trees')),
    pollMs: options.pollMs,
  })
}

/** The agent of this process waits for its own control plane to lead, rather than knock ever more rarely. */
function localGate(control: Control, signal: AbortSignal): AgentGate {
  return {
    ...control.gate,
    accept: async (channel) => {
      await control.untilLeading(signal)
      await control.gate.accept(channel)
    },
  }
}

/** 50 random bits, base 32 without look-alikes. */
function newId(): string {
  return [...randomBytes(10)].map((byte) => 'abcdefghjkmnpqrstuvwxyz023456789'[byte % 32]).join('')
}

const isPath = (repo: string): boolean => !/^[a-z+]+:\/\//.test(repo) && !/^[^/]+@[^/]+:/.test(repo)

/** Named after the repository, as `git clone` would name its folder. */
export function appName(options: Pick<UpOptions, 'app' | 'repo'>): string {
  if (options.app !== null) return options.app
  const base = basename(isPath(options.repo) ? resolve(options.repo) : options.repo).replace(/\.git$/, '')
  return (
    base
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 63) || 'app'
  )
}

function aborted(signal: AbortSignal): Promise<number> {
  return new Promise((done) => {
    if (signal.aborted) done(0)
    else signal.addEventListener('abort', () => done(0), { once: true })
  })
}

/** A part that ends by itself before it was told to is a failure of the whole. */
async function fails(part: Promise<void>, told: AbortSignal): Promise<never> {
  await part
  if (!told.aborted) throw new Error('a part of drover up has ended by itself')
  return new Promise(() => undefined)
}
