import type { Command as Commander } from 'commander'
import type { EtcdOptions } from './deps.ts'

/** How etcd knows who speaks to it, as options of a command. */
export const etcdOptions = (command: Commander): Commander =>
  command
    .option('--etcd-ca <file>', 'speak TLS with etcd, and believe this authority')
    .option('--etcd-cert <file>', 'certificate that etcd knows this server by')
    .option('--etcd-key <file>', 'its key')
    .option('--etcd-user <name>', 'user of etcd')
    .option('--etcd-password-file <file>', 'file with the password of that user')

export interface EtcdFlags {
  readonly etcdCa?: string
  readonly etcdCert?: string
  readonly etcdKey?: string
  readonly etcdUser?: string
  readonly etcdPasswordFile?: string
}

export const etcdOptionsOf = (flags: EtcdFlags): EtcdOptions => ({
  ca: flags.etcdCa ?? null,
  cert: flags.etcdCert ?? null,
  key: flags.etcdKey ?? null,
  user: flags.etcdUser ?? null,
  passwordFile: flags.etcdPasswordFile ?? null,
})
