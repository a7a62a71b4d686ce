import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedStore } from '../../src/store/embedded.ts'
import { describeStore } from './store-suite.ts'

describeStore('embedded store', {
  modelRuns: 25,
  space: async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'drover-store-'))
    const store = await openEmbeddedStore({ dataDir })
    return {
      store,
      peer: store,
      compact: async (revision) => store.compact(revision),
      close: async () => {
        await store.close()
        await rm(dataDir, { recursive: true })
      },
    }
  },
})
