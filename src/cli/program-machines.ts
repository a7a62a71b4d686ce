import type { Parts } from './command-parts.ts'
import { defaultDataDir, durationOf, outputOption, parsedOption, TABLES } from './options.ts'

/** Commands about machines. */
export function machineCommands({ program, start, deps }: Parts): void {
  program
    .command('cordon <kind> [name]')
    .description('give a machine no new tasks (agent/NAME)')
    .action(start(async () => (await import('./commands/maintain.ts')).cordon))
  program
    .command('uncordon <kind> [name]')
    .description('give it tasks again (agent/NAME)')
    .action(start(async () => (await import('./commands/maintain.ts')).uncordon))
  program
    .command('drain <kind> [name]')
    .description('move its tasks to other machines, and let those of runs end until the deadline (agent/NAME)')
    .addOption(parsedOption('--deadline <duration>', 'after that what is left is stopped', { parse: durationOf, value: '10m' }))
    .option('--wait', 'until none of them is left; shows how many are')
    .action(start(async () => (await import('./commands/maintain.ts')).drain))
  program
    .command('forget <kind> [name]')
    .description('give up a machine that will not return: its tasks are lost at once, and its name is refused (agent/NAME)')
    .option('--connected', 'also one that is connected now; it is told to stop what it runs')
    .action(start(async () => (await import('./commands/maintain.ts')).forget))
  program
    .command('admit <kind> [name]')
    .description('let a machine join again that was forgotten (agent/NAME)')
    .action(start(async () => (await import('./commands/maintain.ts')).admit))
  program
    .command('doctor')
    .description('check this machine')
    .addOption(outputOption(TABLES))
    .option('--data-dir <dir>', 'data directory to look at', defaultDataDir(deps.env))
    .action(start(async () => (await import('./commands/doctor.ts')).doctor))
  program
    .command('version')
    .description('of this program and of the server')
    .addOption(outputOption(['text', 'json']))
    .action(start(async () => (await import('./commands/info.ts')).version))
}
