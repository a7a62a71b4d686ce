import { Option } from 'commander'
import type { Parts } from './command-parts.ts'
import { countOf, durationOf, outputOption, TABLES } from './options.ts'

/** Commands about who may what: logins, tokens and the authority of the cluster. */
export function trustCommands({ program, start }: Parts): void {
  program
    .command('login [url]')
    .description('keep a server, a token for it and its roots, for all later commands')
    .option('--token <text>', 'the token itself; others of this machine may see it, so rather --token-file')
    .action(start(async () => (await import('./commands/login.ts')).login))
  tokenCommands({ program, start })
  const ca = program.command('ca').description('the authority that certifies servers and agents')
  ca.command('status')
    .description('its roots, and until when they are needed')
    .addOption(outputOption(TABLES))
    .action(start(async () => (await import('./commands/ca.ts')).status))
  ca.command('rotate')
    .description('begin to sign with a new root; the old one stays trusted until --finish')
    .option('--finish', 'drop the old root')
    .option('--force', 'also while agents may still have certificates of it')
    .addOption(outputOption(TABLES))
    .action(start(async () => (await import('./commands/ca.ts')).rotate))
}

function tokenCommands({ program, start }: Pick<Parts, 'program' | 'start'>): void {
  const token = program.command('token').description('make, list and revoke tokens')
  token
    .command('create')
    .description('make a token; it is printed once, and not kept')
    .option('--agent', 'for machines that join with `drover agent`')
    .option('--control-plane', 'for further servers that join with `drover server --join`')
    .addOption(new Option('--role <role>', 'for the API').choices(['viewer', 'deployer', 'operator', 'admin']))
    .addOption(
      new Option('-n, --namespace <name>', 'of a viewer or deployer: only there; may be given again')
        .argParser((text, before: readonly string[]) => [...before, text])
        .default([], 'all'),
    )
    .option('--name <text>', 'who or what it is for; history and events show it')
    .option('--ttl <duration>', 'how long it is good (default: 24h for joining, 90d for the API)', durationOf)
    .option('--uses <count>', 'how many may join with it (default: 1)', countOf)
    .addOption(outputOption(['text', 'json']))
    .action(start(async () => (await import('./commands/token.ts')).create))
  token
    .command('list')
    .description('tokens and what is left of them, newest first')
    .addOption(outputOption(TABLES))
    .action(start(async () => (await import('./commands/token.ts')).list))
  token
    .command('revoke <id>')
    .description('make a token good for nothing, at once')
    .action(start(async () => (await import('./commands/token.ts')).revoke))
}
