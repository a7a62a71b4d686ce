import { join } from 'node:path'
import { createApi } from '../../src/api/app.ts'
import { serveApi } from '../../src/api/serve.ts'
import { createControl } from '../../src/control/control.ts'
import { clusterIdentity } from '../../src/control/leader/identity.ts'
import { Renderer } from '../../src/control/source/render.ts'
import { createFileTreeStore } from '../../src/control/source/tree-store.ts'
import type { NewTokenRequest } from '../../src/control/trust/trust-plane.ts'
import { openRepository } from '../../src/git/open.ts'
import { packGitTree } from '../../src/git/pack-tree.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { must } from '../../src/lib/must.ts'
import type { Keyring } from '../../src/lib/seal.ts'
import { guardOf, openTrust } from '../../src/main/access.ts'
import { newId } from '../../src/main/control-plane.ts'
import { clusterKeyIn, keyringOf } from '../../src/main/keyring.ts'
import { parseBlob } from '../../src/manifest/blob.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import { makeRepo, scratchFolder } from './git-repo.ts'
import { testVault } from './vault.ts'
import { waitUntil } from './wait-until.ts'

/** A control plane with TLS and tokens, on loopback, that leads a cluster of its own. */
export interface Guarded {
  readonly url: string
  readonly cluster: string
  readonly keyring: Keyring
  /** Of the keyring, in hex. */
  readonly key: string
  /** Paths that were asked for so far. */
  readonly requests: readonly string[]
  token(of: Pick<NewTokenRequest, 'kind' | 'uses'>): Promise<string>
  rotate(): Promise<void>
  close(): Promise<void>
}

export async function serveGuarded(): Promise<Guarded> {
  const scratch = scratchFolder()
  const dataDir = scratch.path
  const repo = makeRepo(join(dataDir, 'repo'))
  const store = createMemoryCluster({ clock: systemClock }).connect()
  const { id: cluster } = await clusterIdentity(store, { id: newId(), createdAt: systemClock.now(), epochBase: 0 })
  const keyring = await keyringOf(dataDir)
  const of = { store, cluster, dataDir, keyring, host: '127.0.0.1', advertise: null, log: silentLog, say: () => undefined }
  const trust = await openTrust(of)
  const control = await createControl({
    store,
    storeStatus: () => store.status(),
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    newId,
    version: '0',
    app: { name: 'shop', source: { repo: repo.path, ref: 'main', path: '.' } },
    openRepository: (source) => openRepository({ repo: source.repo, dir: join(dataDir, 'git'), clock: systemClock, random: Math.random }),
    packTree: packGitTree,
    renderer: new Renderer({ parse: async (path, text) => parseBlob(path, text), close: async () => undefined }, testVault()),
    trees: createFileTreeStore(join(dataDir, 'trees')),
    pollMs: 60_000,
    advertise: null,
    trust,
  })
  const over = new AbortController()
  const running = control.run(over.signal)
  await waitUntil(() => control.leader.leads())
  const requests: string[] = []
  const parts = { control: control.plane, gate: control.gate, guard: guardOf(control, trust), leader: control.leader, clock: systemClock }
  const log = { ...silentLog, debug: (fields: object) => void ('path' in fields && requests.push(String(fields.path))) }
  const serving = await serveApi({ ...parts, log, api: createApi({ ...parts, log }), host: '127.0.0.1', port: 0 })
  const plane = must(control.trust, 'it asks who callers are')
  return {
    url: serving.url,
    cluster,
    keyring,
    key: await clusterKeyIn(dataDir),
    requests,
    token: async (asked) => {
      const none = { name: null, role: null, namespaces: null, ttlSeconds: null, actor: 'test' }
      return (await plane.createToken({ ...none, ...asked })).text
    },
    rotate: async () => {
      const before = plane.roots()
      await plane.rotate('test')
      await waitUntil(() => plane.roots() !== before)
    },
    close: async () => {
      over.abort()
      await running
      await serving.close()
      scratch.remove()
    },
  }
}
