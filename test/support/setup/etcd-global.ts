import { ensureEtcd } from './ensure-etcd.mjs'

/** Once per run: the etcd binary is on this machine; every test starts its own. */
export default async function setup(): Promise<void> {
  await ensureEtcd({ log: (message) => void process.stderr.write(`${message}\n`) })
}
