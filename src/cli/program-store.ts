import type { Parts } from './command-parts.ts'
import { etcdOptions } from './etcd-flags.ts'
import { defaultDataDir, parsedOption, recipientOption } from './options.ts'
import { parseStore } from './role-flags.ts'

/** What keeps and brings back all that a cluster knows. */
export function storeCommands({ program, start, deps }: Parts): void {
  etcdOptions(program.command('backup'))
    .description('keep everything the cluster knows in a file; tasks and servers go on meanwhile')
    .requiredOption('--out <file>', 'where; readable for its owner alone')
    .addOption(recipientOption('encrypt it for this age recipient; may be given again', 'nobody, it is not encrypted'))
    .option('--include-key', 'with secrets.key of the data directory; needs --recipient')
    .option('--store <store>', 'read this store itself, without a server: embedded, or etcd://HOST:2379,HOST/PREFIX', parseStore)
    .option('--data-dir <dir>', 'of the embedded store and of secrets.key', defaultDataDir(deps.env))
    .action(start(async () => (await import('./commands/backup.ts')).backup))
  etcdOptions(program.command('restore <file>'))
    .description('bring a backup into an empty store; tasks that run are taken over, not restarted')
    .addOption(parsedOption('--store <store>', 'embedded, or etcd://HOST:2379,HOST/PREFIX', { parse: parseStore, value: 'embedded' }))
    .option('--data-dir <dir>', 'of the embedded store, and where secrets.key goes', defaultDataDir(deps.env))
    .option('--age-key-file <file>', 'with the key that opens the file (default: as SOPS, env SOPS_AGE_KEY, SOPS_AGE_KEY_FILE)')
    .action(start(async () => (await import('./commands/backup.ts')).restore))
}
