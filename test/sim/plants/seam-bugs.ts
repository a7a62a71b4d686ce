import type { Driver } from '../../../runtime/driver.ts'
import type { Uplink } from '../../../runtime/uplink.ts'
import type { CommitInfo } from '../../../src/git/git-backend.ts'
import type { Channel } from '../../../src/lib/channel.ts'
import type { Oid } from '../../../src/model/ids.ts'
import type { AgentFrame, ServerFrame } from '../../../src/model/protocol.ts'
import type { Leadership, Store } from '../../../src/store/store.ts'
import type { Incarnation } from '../incarnation.ts'
import type { InvariantName } from '../invariants.ts'
import type { Mode } from '../scenario.ts'
import { NO_BUG, type Seams } from '../seams.ts'
import { CarelessRenderer, RestlessRenderer, UnboundedRenderer } from './renderers.ts'

/** A mistake put into one part that the simulator hands to the product. */
interface SeamBug {
  readonly name: string
  /** What must catch it: one of these. */
  readonly caughtBy: readonly InvariantName[]
  readonly mode: Mode
  readonly seams: Seams
}

function planted(name: string, caughtBy: readonly InvariantName[], seams: Partial<Seams>): SeamBug {
  return { name, caughtBy, mode: 'safety', seams: { ...NO_BUG, ...seams } }
}

/** Whoever once led may write for ever. */
const unfencedStore = (store: Store): Store => ({ ...methods(store), txn: (txn) => store.txn({ ...txn, fence: null, if: [] }) })

/** A reply that never came counts as success. */
const hopefulStore = (store: Store): Store => ({
  ...methods(store),
  async txn(txn) {
    const result = await store.txn(txn)
    return result.status === 'Unknown' ? { status: 'Committed', revision: '0' } : result
  },
})

/** The answer comes before the write is durable. */
const hastyStore = (store: Store, by: Incarnation): Store => ({
  ...methods(store),
  async txn(txn) {
    await by.later(1, 'hasty store')
    const later = by.later(by.rng.int(1, 3000), 'hasty store writes').then(() => store.txn({ ...txn, if: [] }))
    later.catch(() => undefined)
    return { status: 'Committed', revision: '0' }
  },
})

const forgetfulStore = (store: Store): Store => ({
  ...methods(store),
  list: async (prefix) => (prefix === 'quarantine/' ? { items: [], revision: (await store.list(prefix)).revision } : store.list(prefix)),
})

/** Twice as long as the store keeps it, and deaf to its end: etcd3's own election behaves like this. */
const believingStore = (store: Store, by: Incarnation): Store => ({
  ...methods(store),
  async campaign(name, options) {
    const leadership = await store.campaign(name, options)
    const deaf: Leadership = {
      ...{ fence: leadership.fence, signal: new AbortController().signal, resign: () => leadership.resign() },
      validUntil: () => (leadership.signal.aborted ? by.clock.monotonic() + 1 : leadership.validUntil() + 20_000),
    }
    return deaf
  },
})

function methods(store: Store): Store {
  return {
    list: (prefix) => store.list(prefix),
    get: (key) => store.get(key),
    txn: (txn) => store.txn(txn),
    watch: (prefix, options) => store.watch(prefix, options),
    campaign: (name, options) => store.campaign(name, options),
    close: () => store.close(),
  }
}

/** After a crash it takes what runs for never started. */
const blindDriver = (driver: Driver): Driver => ({
  ...driver,
  recover: async (ref) => {
    await driver.recover(ref)
    return { state: 'never-started' }
  },
})

/** A start that is there already is made anew. */
const restartingDriver = (driver: Driver): Driver => ({
  ...driver,
  start: async (ref, spec, files) => {
    await driver.remove(ref)
    return driver.start(ref, spec, files)
  },
})

const lyingDriver = (driver: Driver): Driver => ({
  ...driver,
  wait: async (handle, signal) => ({ ...(await driver.wait(handle, signal)), exitCode: 0, reason: 'Completed' }),
})

/** Changes what passes between an agent and the control plane. */
function tapped(
  uplink: Uplink,
  tap: {
    send?: (frame: AgentFrame, answer: (frame: ServerFrame) => void) => AgentFrame | null
    hear?: (frame: ServerFrame) => ServerFrame
  },
): Uplink {
  return {
    fetchTree: (tree, signal) => uplink.fetchTree(tree, signal),
    sendLogs: (ticket, lines, signal) => uplink.sendLogs(ticket, lines, signal),
    async connect(signal) {
      const channel = await uplink.connect(signal)
      const own: ServerFrame[] = []
      const answer = (frame: ServerFrame) => own.push(frame)
      const out: Channel<AgentFrame, ServerFrame> = {
        closed: channel.closed,
        close: (reason) => channel.close(reason),
        send: (frame) => {
          const sent = tap.send === undefined ? frame : tap.send(frame, answer)
          if (sent !== null) channel.send(sent)
        },
        async *frames() {
          for await (const frame of channel.frames()) {
            yield* own.splice(0)
            yield tap.hear === undefined ? frame : tap.hear(frame)
          }
        },
      }
      return out
    },
  }
}

/** Acknowledges a report by itself; the report is lost. */
const ackingUplink = (uplink: Uplink, by: Incarnation): Uplink =>
  tapped(uplink, {
    send: (frame, answer) => {
      if (frame.type !== 'report' || by.rng.chance(0.5)) return frame
      answer({ type: 'ack', seq: frame.seq })
      return null
    },
  })

/** A full set that lacks a task now and then. */
const leakyUplink = (uplink: Uplink, by: Incarnation): Uplink =>
  tapped(uplink, {
    hear: (frame) => (frame.type === 'assignments' && frame.full && by.rng.chance(0.3) ? { ...frame, tasks: frame.tasks.slice(1) } : frame),
  })

/** Part of the files when git does not answer. */
const partialRepository: Seams['repository'] = (repository) => ({
  ...repository,
  async files(tree, signal) {
    const { files, refused } = await repository.files(tree, signal)
    const read = await Promise.all(
      files.map((file) =>
        repository.blob(file.oid).then(
          () => [file],
          () => [],
        ),
      ),
    )
    return { files: read.flat(), refused }
  },
})

/** A reply that never came is no reason to wait: the same again, whatever has happened since. */
const repeatingStore = (store: Store): Store => ({
  ...methods(store),
  async txn(txn) {
    for (;;) {
      const result = await store.txn({ ...txn, if: [] })
      if (result.status !== 'Unknown') return result
    }
  },
})

/** What agents say is kept in memory, and not always written. */
const leakyStore = (store: Store, by: Incarnation): Store => ({
  ...methods(store),
  txn: (txn) => store.txn({ ...txn, then: txn.then.filter(({ key }) => !key.includes('observed/') || by.rng.chance(0.95)) }),
})

/** Nothing comes from a store that does not answer, so there is nothing in it. */
const emptyStore = (store: Store): Store => ({
  ...methods(store),
  list: (prefix) => store.list(prefix).catch(() => ({ items: [], revision: '1' })),
})

/** A folder is remembered by its name, not by its commit. */
const staleRepository: Seams['repository'] = (repository, by) => {
  const trees = new Map<string, Oid>()
  return {
    ...repository,
    async treeAt(commit, path) {
      const known = trees.get(path)
      if (known !== undefined && by.rng.chance(0.3)) return known
      const tree = await repository.treeAt(commit, path)
      trees.set(path, tree)
      return tree
    },
  }
}

/** When git does not answer, what it said first counts. */
const nostalgicRepository: Seams['repository'] = (repository) => {
  const first: CommitInfo[] = []
  return {
    ...repository,
    resolve: (ref, signal) =>
      repository.resolve(ref, signal).then(
        (info) => {
          first.push(info)
          return info
        },
        (error: unknown) => {
          const [oldest] = first
          if (oldest === undefined) throw error
          return oldest
        },
      ),
  }
}

export const SEAM_BUGS: readonly SeamBug[] = [
  planted('store-without-fence', ['EpochNeverFalls', 'AppliedOnce', 'AttemptsGrow', 'TerminalIsFinal', 'CompletedOnce'], {
    store: unfencedStore,
  }),
  planted('lost-reply-is-success', ['VerdictIsTrue'], { store: hopefulStore }),
  planted('commit-before-durable', ['VerdictIsTrue', 'StartIsCommitted', 'EpochNeverFalls'], { store: hastyStore }),
  planted('lease-believed-too-long', ['OneLeader'], { store: believingStore }),
  planted('sent-again-blindly', ['AppliedOnce'], { store: repeatingStore }),
  planted('writes-dropped', ['MemoryIsStore', 'ComesToRest', 'StartIsCommitted', 'NothingBreaks'], { store: leakyStore }),
  planted('unreachable-store-reads-as-empty', ['StopIsOrdered', 'StopHasCause'], { store: emptyStore }),
  planted('stale-checkout', ['TemplateIsStable', 'AppliedIsCommitted', 'RemovalIsMeant'], { repository: staleRepository }),
  planted('old-revision-after-an-error', ['AppliedIsResolved'], { repository: nostalgicRepository }),
  planted('quarantine-forgotten', ['QuarantineHonoured'], { store: forgetfulStore }),
  planted('epoch-not-written', ['EpochRemembered'], { journal: (journal) => ({ ...journal, saveAgent: async () => undefined }) }),
  planted('intent-not-written', ['OneStartPerAttempt', 'ComesToRest', 'StopIsOrdered', 'StartIsCommitted'], {
    journal: (journal) => ({
      ...journal,
      save: async (entry) => (entry.state.life.phase === 'Starting' ? undefined : journal.save(entry)),
    }),
    driver: restartingDriver,
  }),
  planted('recovery-blind', ['NeverTwoRunning'], { driver: blindDriver }),
  planted('orphans-unseen', ['NoOrphans', 'NeverTwoRunning'], { driver: (driver) => ({ ...driver, owned: async () => [] }) }),
  planted('ready-too-early', ['ReadyIsTrue'], { driver: (driver) => ({ ...driver, health: async () => 'none' }) }),
  planted('health-made-up', ['StopIsOrdered'], { driver: (driver) => ({ ...driver, health: async () => 'unhealthy' }) }),
  planted('exit-code-lost', ['ExitIsTrue'], { driver: lyingDriver }),
  planted('report-acknowledged-unread', ['ComesToRest'], { uplink: ackingUplink }),
  planted('full-set-incomplete', ['StopIsOrdered'], { uplink: leakyUplink }),
  planted('git-error-reads-as-absence', ['RemovalIsMeant'], { repository: partialRepository }),
  planted('mistakes-ignored', ['RemovalIsMeant', 'ComesToRest'], { renderer: (renderer) => new CarelessRenderer(renderer) }),
  planted('prune-without-budget', ['RemovalIsMeant'], { renderer: (renderer) => new UnboundedRenderer(renderer) }),
  planted('commit-in-template', ['TemplateIsStable'], { renderer: (renderer) => new RestlessRenderer(renderer) }),
]
