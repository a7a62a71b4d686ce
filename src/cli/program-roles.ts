import { type Command as Commander, Option } from 'commander'
import type { Parts } from './command-parts.ts'
import type { CliDeps } from './deps.ts'
import { etcdOptions } from './etcd-flags.ts'
import { defaultDataDir, durationOf, parsedOption, timeoutOption } from './options.ts'
import { parseAdvertise, parseLabel, parseListen, parseServerStore, parseStore } from './role-flags.ts'

/** What runs in the foreground: control planes and agents. */
export function roleCommands(parts: Parts): void {
  const { program, start, deps } = parts
  machineOptions(followingOptions(program.command('up'), parts))
    .description('run control plane and agent here, in the foreground; stopping it leaves tasks running')
    .addOption(
      parsedOption('--store <store>', 'embedded, memory, or etcd://HOST:2379,HOST/PREFIX', { parse: parseStore, value: 'embedded' }),
    )
    .option('--exit-when-healthy', 'end with 0 once all is healthy, 3 when degraded, 4 after --timeout')
    .addOption(timeoutOption('5m'))
    .action(start(async () => (await import('./commands/roles.ts')).up))
  serverCommand(parts)
  machineOptions(program.command('agent'))
    .description('run the agent of this machine, for the servers at --server; stopping it leaves tasks running')
    .option('--token <token>', 'of `drover token create --agent`, to join; needed once (better: --token-file)')
    .option(...dataDirOption(deps))
    .option('--name <name>', 'of this agent in the cluster (default: of the host)')
    .option('--docker <socket>', 'socket of the Docker engine (default: /var/run/docker.sock, env DOCKER_HOST)')
    .addHelpText('after', AGENT_HELP)
    .action(start(async () => (await import('./commands/roles.ts')).agent))
  program
    .command('down')
    .description('stop every task that a data directory owns')
    .option(...dataDirOption(deps))
    .action(start(async () => (await import('./commands/roles.ts')).down))
}

const dataDirOption = ({ env }: CliDeps) => ['--data-dir <dir>', 'where its state lives', defaultDataDir(env)] as const

/** What a control plane follows, and where it listens. */
const followingOptions = (command: Commander, { deps }: Parts): Commander =>
  command
    .requiredOption('--repo <path|url>', 'git repository to follow')
    .option('--ref <ref>', 'branch, tag or commit', 'main')
    .option('--path <path>', 'folder of the manifests in the repository', '.')
    .option('--app <name>', 'name of the app (default: of the repository)')
    .option(...dataDirOption(deps))
    .addOption(parsedOption('--listen <host:port>', 'address of the API', { parse: parseListen, value: '127.0.0.1:7420' }))
    .addOption(parsedOption('--poll <duration>', 'how often to look at the repository', { parse: durationOf, value: '2s' }))
    .option('--age-key-file <file>', 'keys that open Secrets (default: as SOPS, env SOPS_AGE_KEY, SOPS_AGE_KEY_FILE)')

/** What a machine offers to manifests. */
const machineOptions = (command: Commander): Commander =>
  command
    .option('--allow-processes', 'let manifests run programs of this machine')
    .option('--process-policy <file>', 'what they may run, as whom and how far apart; YAML, see the README')
    .addOption(
      new Option('--label <key=value>', 'label of this machine, for placement; may be given again')
        .argParser(parseLabel)
        .default({}, 'none'),
    )

function serverCommand(parts: Parts): void {
  const { program, start } = parts
  etcdOptions(followingOptions(program.command('server'), parts))
    .description('run a control plane for agents on other machines: one leads, any number stands by and takes over')
    .addOption(
      parsedOption('--store <store>', 'etcd://HOST:2379,HOST/PREFIX, or embedded for a single server', {
        parse: parseServerStore,
        value: 'embedded',
      }),
    )
    .addOption(new Option('--advertise <url>', 'where others reach this server (default: where it listens)').argParser(parseAdvertise))
    .addOption(new Option('--join <url>', 'become another server of the cluster there; takes a token, once').argParser(parseAdvertise))
    .option('--token <token>', 'of `drover token create --control-plane`, for --join (better: --token-file)')
    .option('--accept-store <id>', 'act on the store of cluster ID, or on one that is "empty", though it is not as remembered')
    .addHelpText('after', SERVER_HELP)
    .action(start(async () => (await import('./commands/roles.ts')).server))
}

const SERVER_HELP = `
It listens with TLS and asks everybody for a token or a certificate. The first server of a cluster leaves a token for
an admin in DATA-DIR/admin.token.

--accept-store is for after a restore, a move or a mistake. A server remembers its cluster and how far the store had
come; where it finds another cluster, an older state or nothing at all, it ends before any agent hears of it, and says
what it found. Give the option once: with a cluster's id to take that store as it is, with "empty" to begin anew.
`

const AGENT_HELP = `
The token is needed until the machine has joined: its certificate is kept in DATA-DIR/identity and renewed by itself.
Give --server for each server, so that any of them may be away.
`
