import { ensurePrograms } from './install.mjs'

/**
 * Makes sure that etcd is on this machine; starts nothing.
 * @throws Error that says what to install
 */
export async function ensureEtcd({ log } = {}) {
  const { etcd, etcdctl } = await ensurePrograms({ programs: ['etcd', 'etcdctl'], packages: ['etcd-server', 'etcd-client'], log })
  return { etcd, etcdctl }
}
