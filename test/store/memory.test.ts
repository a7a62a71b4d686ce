import { systemClock } from '../../src/lib/clock.ts'
import { createMemoryCluster } from '../../src/store/memory.ts'
import { describeStore } from './store-suite.ts'

describeStore('memory store', {
  modelRuns: 150,
  space: async () => {
    const cluster = createMemoryCluster({ clock: systemClock, ttlMs: 2000 })
    const [store, peer] = [cluster.connect(), cluster.connect()]
    return {
      store,
      peer,
      compact: async (revision) => cluster.compact(revision),
      close: async () => {
        await Promise.all([store.close(), peer.close()])
      },
    }
  },
})
