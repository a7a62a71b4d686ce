export function ensureEtcd(options?: { log?: (message: string) => void }): Promise<{ etcd: string; etcdctl: string }>
