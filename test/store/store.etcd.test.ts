import { systemClock } from '../../src/lib/clock.ts'
import { createEtcdStore } from '../../src/store/etcd/etcd-store.ts'
import { type EtcdServer, startEtcd } from '../support/etcd.ts'
import { describeStore } from './store-suite.ts'

let etcd: EtcdServer
let spaces = 0

describeStore('etcd store', {
  modelRuns: 15,
  start: async () => {
    etcd = await startEtcd()
  },
  stop: () => etcd.close(),
  space: async () => {
    spaces += 1
    const options = { hosts: [etcd.host], root: `/test/${spaces}/`, clock: systemClock, ttlMs: 2000 }
    const [store, peer] = [createEtcdStore(options), createEtcdStore(options)]
    return {
      store,
      peer,
      compact: (revision) => store.compact(revision),
      close: async () => {
        await Promise.all([store.close(), peer.close()])
      },
    }
  },
})
