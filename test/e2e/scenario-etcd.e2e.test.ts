import { startEtcd } from '../support/etcd.ts'
import { scenario } from './scenario.ts'

scenario('etcd', async () => {
  const etcd = await startEtcd()
  return { url: etcd.url('/drover-e2e'), close: () => etcd.close() }
})
