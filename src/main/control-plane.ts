import { randomBytes } from 'node:crypto'
import { basename, join, resolve } from 'node:path'
import type { ControlOptions } from '../cli/deps.ts'
import { type Control, type ControlDeps, type ControlTrust, createControl } from '../control/control.ts'
import { createParsePool } from '../control/source/parse-pool.ts'
import { Renderer } from '../control/source/render.ts'
import { createFileTreeStore } from '../control/source/tree-store.ts'
import { Vault } from '../control/source/vault.ts'
import { openRepository } from '../git/open.ts'
import { packGitTree } from '../git/pack-tree.ts'
import { digestOf } from '../lib/canonical.ts'
import { systemClock } from '../lib/clock.ts'
import type { Keyring } from '../lib/seal.ts'
import { loadIdentities } from '../secrets/identities.ts'
import { openSops } from '../secrets/sops.ts'
import type { OpenedStore } from '../store/store.ts'
import type { Closers } from './foreground.ts'
import { onceStoreAnswers } from './store-answers.ts'
import type { Surroundings } from './surroundings.ts'

export interface ControlParts extends Surroundings {
  readonly store: OpenedStore
  readonly keyring: Keyring
  /** See `ControlDeps`. */
  readonly advertise: string | null
  /** See `ControlDeps`. */
  readonly trust: ControlTrust | null
  readonly closers: Closers
  /** Ends the wait for a store that does not answer. */
  readonly signal: AbortSignal
}

/** The control plane of this process with its real parts; it does nothing until it is run. */
export function openControl(options: ControlOptions, parts: ControlParts): Promise<Control> {
  const { log, version, store, advertise, trust, closers, signal } = parts
  const parser = createParsePool(new URL('../control/source/parse-worker.js', import.meta.url))
  closers.push(() => parser.close())
  const deps: ControlDeps = {
    store,
    storeStatus: () => store.status(),
    clock: systemClock,
    random: Math.random,
    log,
    version,
    advertise,
    trust,
    renderer: new Renderer(parser, vaultOf(options, parts)),
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
  }
  return onceStoreAnswers(() => createControl(deps), { clock: systemClock, log, signal })
}

/** The age keys are read when a Secret is opened, so one that was put there meanwhile is found. */
function vaultOf({ ageKeyFile }: ControlOptions, { env, keyring }: ControlParts): Vault {
  return new Vault({
    open: async (document) => openSops(document, await loadIdentities({ env, file: ageKeyFile })),
    seal: keyring.seal,
  })
}

/** 50 random bits, base 32 without look-alikes. */
export function newId(): string {
  return [...randomBytes(10)].map((byte) => 'abcdefghjkmnpqrstuvwxyz023456789'[byte % 32]).join('')
}

const isPath = (repo: string): boolean => !/^[a-z+]+:\/\//.test(repo) && !/^[^/]+@[^/]+:/.test(repo)

/** Named after the repository, as `git clone` would name its folder. */
export function appName(options: Pick<ControlOptions, 'app' | 'repo'>): string {
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
