import { Command as Commander, Option } from 'commander'
import type { Parts, Start } from './command-parts.ts'
import type { CliDeps } from './deps.ts'
import { countOf, momentOf, namespaceOption, outputOption, REPORTS, recipientOption, TABLES, timeoutOption } from './options.ts'
import { machineCommands } from './program-machines.ts'
import { roleCommands } from './program-roles.ts'
import { storeCommands } from './program-store.ts'
import { trustCommands } from './program-trust.ts'

const EXAMPLES = `Examples:
  drover up --repo . --allow-processes    run what this repository says, on this machine
  drover plan                             what the newest commit would change
  drover status                           what runs, and how it is
  drover why deployment/web               what it waits for
  drover wait shop --healthy              see how it comes along
  drover rollback shop --to 3             run revision 3 of the history again
  drover run cronjob/export --wait        a run now, and how it ended
`

/** The command tree. */
export function buildProgram(start: Start, deps: CliDeps): Commander {
  const program = new Commander('drover')
    .description('Drives a fleet to what git says.')
    .addOption(
      new Option('--server <url>', 'the control plane (env DROVER_SERVER)')
        .argParser((text, before: readonly string[]) => [...before, text])
        .default([], 'of `drover login`, or http://127.0.0.1:7420'),
    )
    .option('--token-file <file>', 'with a token for it (env DROVER_TOKEN, DROVER_TOKEN_FILE; default: of `drover login`)')
    .option('--no-color', 'print without colour (env NO_COLOR)')
    .addHelpText('before', EXAMPLES)
    .showHelpAfterError('(`drover --help` lists the commands)')
  const parts = { program, start, deps }
  roleCommands(parts)
  manifestCommands(parts)
  secretCommands(parts)
  readCommands(parts)
  objectCommands(parts)
  runCommand(parts)
  appCommands(parts)
  machineCommands(parts)
  storeCommands(parts)
  trustCommands(parts)
  return program
}

/** A command and all below it. */
export const everyCommand = (command: Commander): Commander[] => [command, ...command.commands.flatMap(everyCommand)]

function manifestCommands({ program, start }: Parts): void {
  const source = (name: string, description: string) =>
    program
      .command(`${name} [files...]`)
      .description(description)
      .option('--repo <path|url>', 'read manifests from a git repository')
      .option('--ref <ref>', 'at this branch, tag or commit')
      .option('--path <path>', 'in this folder')
  const compared = (name: string, description: string) =>
    source(name, description)
      .option('--app <name>', 'compare with this app')
      .option('--local', 'compare with nothing running; needs no server')
      .addOption(outputOption(REPORTS))
  source('validate', 'check manifests; needs no server')
    .addOption(outputOption(['text', 'json']))
    .action(start(async () => (await import('./commands/validate.ts')).validate))
  compared('plan', 'show what would change')
    .option('--detailed-exitcode', 'exit 0 without changes, 2 with, 1 on errors')
    .option('--out <file>', 'keep the plan in a file, for `sync APP --plan`')
    .action(start(async () => (await import('./commands/plan.ts')).plan))
  compared('diff', 'as plan, and exit 0 without changes, 1 with, 2 or more on errors').action(
    start(async () => (await import('./commands/plan.ts')).diff),
  )
  compared('render', 'print manifests as they are applied, defaults filled in').action(
    start(async () => (await import('./commands/plan.ts')).render),
  )
  program
    .command('schema')
    .description('print the JSON Schema of manifests, for editors')
    .action(start(async () => (await import('./commands/info.ts')).schema))
}

function secretCommands({ program, start }: Parts): void {
  const secret = program.command('secret').description('make age keys, encrypt and decrypt Secrets; needs no server')
  secret
    .command('keygen')
    .description('make an age key; prints its recipient, the public half')
    .option('--out <file>', 'where to keep it (default: print the key itself)')
    .action(start(async () => (await import('./commands/secret.ts')).keygen))
  secret
    .command('encrypt <file>')
    .description('print the file of a Secret with its values encrypted')
    .addOption(recipientOption('who may open it; may be given again', 'your own keys, found as SOPS does'))
    .option('--in-place', 'write it into the file')
    .action(start(async () => (await import('./commands/secret.ts')).encrypt))
  secret
    .command('decrypt <file>')
    .description('print the file in plain, for editing')
    .option('--age-key-file <file>', 'with these keys too (env SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, or ~/.config/sops/age/keys.txt)')
    .option('--in-place', 'write it into the file')
    .action(start(async () => (await import('./commands/secret.ts')).decrypt))
}

function readCommands({ program, start }: Parts): void {
  program
    .command('status [app]')
    .description('how apps are: revision, health, workloads, problems')
    .addOption(outputOption(TABLES))
    .option('--exit-code', 'exit 3 when not Healthy')
    .option('-w, --watch', 'go on and show changes')
    .action(start(async () => (await import('./commands/status.ts')).status))
  program
    .command('get <kind> [name]')
    .description('list apps, workloads, deployments, jobs, cronjobs, rollouts, tasks, runs, agents or events')
    .addOption(outputOption(TABLES))
    .option('-n, --namespace <name>', 'only of this namespace (lists: default all; one name: default "default")')
    .option('-A, --all-namespaces', 'of every namespace')
    .option('--app <name>', 'only of this app')
    .option('-w, --watch', 'go on and show changes')
    .option('--graph [run]', 'draw runs that began with one another: the newest of each graph, or the graph of RUN (get runs)')
    .action(start(async () => (await import('./commands/get.ts')).get))
  program
    .command('events [kind] [name]')
    .description('what happened, oldest first')
    .addOption(outputOption(TABLES))
    .addOption(namespaceOption())
    .option('--app <name>', 'only of this app')
    .option('-w, --watch', 'go on and show new ones')
    .action(start(async () => (await import('./commands/lists.ts')).events))
  program
    .command('history <app> [name]')
    .description('syncs and rollbacks of APP, rollouts of deployment/NAME, runs of job/NAME or cronjob/NAME; newest first')
    .addOption(outputOption(TABLES))
    .addOption(namespaceOption())
    .action(start(async () => (await import('./commands/lists.ts')).history))
}

function objectCommands({ program, start }: Parts): void {
  program
    .command('describe <kind> [name]')
    .description('everything about one object (KIND/NAME, rollout/ID, revision/APP/N)')
    .addOption(outputOption(REPORTS))
    .addOption(namespaceOption())
    .action(start(async () => (await import('./commands/describe.ts')).describe))
  program
    .command('why <kind> [name]')
    .description('why an object is as it is, and what it waits for')
    .addOption(outputOption(REPORTS))
    .addOption(namespaceOption())
    .action(start(async () => (await import('./commands/why.ts')).why))
  program
    .command('logs <kind> [name]')
    .description(
      'output of task/ID, of all tasks of deployment/NAME or run/ID, of the newest task of job/NAME, or the newest run of cronjob/NAME',
    )
    .addOption(namespaceOption())
    .option('-c, --container <name>', 'of this container or process')
    .option('-f, --follow', 'go on with new lines, until the task or the run has ended')
    .option('--tail <count>', 'only the last lines', countOf)
    .option('--since <time>', 'only lines of the last 10m, or from 2026-11-21T18:00:00Z on', momentOf)
    .option('--until <time>', 'only lines up to then', momentOf)
    .option('--timestamps', 'begin each line with when it was written')
    .option('--attempt <number>', 'of this attempt (default: the latest)', countOf)
    .addOption(outputOption(['text', 'json']))
    .action(start(async () => (await import('./commands/logs.ts')).logs))
  program
    .command('wait <object> [name]')
    .description('wait for APP, KIND/NAME or run/ID; exit 0 reached, 3 failed, 4 timed out')
    .addOption(namespaceOption())
    .option('--healthy', 'until everything is ready')
    .option('--synced', 'until the app runs what git says')
    .option('--complete', 'until the job has succeeded')
    .option('--revision <revision>', 'of this commit: 4 or more digits, or main@sha1:...')
    .addOption(timeoutOption('60s'))
    .action(start(async () => (await import('./commands/wait.ts')).wait))
}

function runCommand({ program, start }: Parts): void {
  program
    .command('run <kind> [name]')
    .description('run job/NAME or cronjob/NAME now, suspended CronJobs too; or run/ID again, and what comes after it')
    .addOption(namespaceOption())
    .addOption(outputOption(['text', 'json', 'name']))
    .option('--wait', 'until it has ended; exit 0 succeeded, 3 failed, 4 timed out')
    .addOption(timeoutOption('5m'))
    .action(start(async () => (await import('./commands/run.ts')).run))
}

function appCommands({ program, start }: Parts): void {
  program
    .command('sync <app>')
    .description('look at git now and apply')
    .option('--plan <file>', 'apply exactly this plan of `plan --out`, or nothing')
    .option('--retry', 'try again what automatic rollbacks hold')
    .option('--wait', 'until that revision is applied and healthy')
    .option('--allow-delete', 'let it remove more than the deletion budget')
    .addOption(timeoutOption('5m'))
    .action(start(async () => (await import('./commands/sync.ts')).sync))
  program
    .command('rollback <app>')
    .description('run an earlier revision again, and keep what is left out of the way')
    .requiredOption('--to <revision>', 'number in the history, or a commit')
    .option('--revert', 'commit the revert to git as well')
    .option('-y, --yes', 'do not ask')
    .action(start(async () => (await import('./commands/rollback.ts')).rollback))
  program
    .command('promote <kind> [name]')
    .description('go on past a canary pause, or try a failed rollout again (deployment/NAME)')
    .addOption(namespaceOption())
    .action(start(async () => (await import('./commands/rollouts.ts')).promote))
  program
    .command('abort <kind> [name]')
    .description('end a rollout and go back to what was good (deployment/NAME)')
    .addOption(namespaceOption())
    .action(start(async () => (await import('./commands/rollouts.ts')).abort))
}
