/** Run by a test: opens etcd at the given host, watches, leads, closes; then nothing may keep the process alive. */
import { systemClock } from '../../src/lib/clock.ts'
import { must } from '../../src/lib/must.ts'
import { createEtcdStore } from '../../src/store/etcd/etcd-store.ts'

const never = new AbortController().signal
const host = must(process.argv[2], 'the host of etcd')
const store = createEtcdStore({ hosts: [host], root: '/close/', clock: systemClock })
const { revision } = await store.list('')
const watching = (async () => {
  for await (const events of store.watch('', { from: revision, signal: never })) if (events.length > 0) return
})()
await store.campaign('leader', { signal: never })
await watching
const idle = (async () => {
  for await (const events of store.watch('nothing/', { from: revision, signal: never })) void events
})()
await store.get('leader')
await store.close()
await idle
process.stdout.write('closed\n')
