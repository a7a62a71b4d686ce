import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { must } from '../../../src/lib/must.ts'
import type { MachineName } from './run-folder.ts'

/** Where the test itself is: git server, API client, watcher of etcd. */
export const HUB = '10.77.0.254'
const INTERFACE = 'eth0'
/** Our rules are in chains of their own, so that healing is to empty them. */
const CHAINS = { INPUT: 'chaos-in', OUTPUT: 'chaos-out' } as const
const LOSS = 0.3

/** How a machine is cut off from the others, or from some of them. */
export type Cut = 'unheard' | 'deaf' | 'apart' | 'refused' | 'lossy'

/** A cable to one bridge for each machine, in network namespaces; the bridge is in the namespace of this process. */
export class Network {
  readonly #holders = new Map<MachineName, ChildProcess>()
  readonly #numbers = new Map<MachineName, number>()

  /** This process must be in a network namespace of its own. */
  static async create(machines: readonly MachineName[]): Promise<Network> {
    const network = new Network()
    ip('link', 'set', 'lo', 'up')
    ip('link', 'add', 'hub', 'type', 'bridge')
    ip('addr', 'add', `${HUB}/24`, 'dev', 'hub')
    ip('link', 'set', 'hub', 'up')
    for (const [index, machine] of machines.entries()) await network.#plugIn(machine, index + 1)
    return network
  }

  addressOf(machine: MachineName): string {
    return `10.77.0.${must(this.#numbers.get(machine), machine)}`
  }

  /** The words that run a command on a machine: in its network, under its host name. The process stays the same. */
  on(machine: MachineName, command: readonly string[]): string[] {
    return ['nsenter', '-t', String(this.#pidOf(machine)), '--net', '--uts', '--', ...command]
  }

  /** Packets of `machine` from and to `others`, or everybody, from now on. */
  cut(machine: MachineName, how: Cut, others: readonly MachineName[] | 'everybody' = 'everybody'): void {
    const addresses = others === 'everybody' ? ['0.0.0.0/0'] : others.map((other) => this.addressOf(other))
    for (const address of addresses) for (const rule of rulesOf(how, address)) this.#iptables(machine, '-A', ...rule)
  }

  heal(machine: MachineName): void {
    for (const chain of Object.values(CHAINS)) this.#iptables(machine, '-F', chain)
  }

  async #plugIn(machine: MachineName, number: number): Promise<void> {
    const script = 'hostname "$0"; echo named; exec sleep infinity'
    const holder = spawn('unshare', ['--net', '--uts', 'sh', '-c', script, machine], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(must(holder.stdout, 'a pipe'), 'data')
    this.#holders.set(machine, holder)
    this.#numbers.set(machine, number)
    ip('link', 'add', `to-${number}`, 'type', 'veth', 'peer', 'name', INTERFACE, 'netns', String(this.#pidOf(machine)))
    ip('link', 'set', `to-${number}`, 'master', 'hub', 'up')
    this.#ip(machine, 'link', 'set', 'lo', 'up')
    this.#ip(machine, 'addr', 'add', `${this.addressOf(machine)}/24`, 'dev', INTERFACE)
    this.#ip(machine, 'link', 'set', INTERFACE, 'up')
    for (const [hook, chain] of Object.entries(CHAINS)) {
      this.#iptables(machine, '-N', chain)
      this.#iptables(machine, '-A', hook, '-j', chain)
    }
  }

  #pidOf(machine: MachineName): number {
    return must(this.#holders.get(machine)?.pid, machine)
  }

  #ip(machine: MachineName, ...args: readonly string[]): void {
    run(this.on(machine, ['ip', ...args]))
  }

  #iptables(machine: MachineName, ...args: readonly string[]): void {
    run(this.on(machine, ['iptables', '-w', ...args]))
  }
}

/** Arguments after `-A`; the loopback of the machine is spared. */
function rulesOf(how: Cut, address: string): string[][] {
  const heard = [CHAINS.INPUT, '-i', INTERFACE, '-s', address]
  const said = [CHAINS.OUTPUT, '-o', INTERFACE, '-d', address]
  const drop = ['-j', 'DROP']
  const sometimes = ['-m', 'statistic', '--mode', 'random', '--probability', String(LOSS), ...drop]
  switch (how) {
    case 'unheard':
      return [[...said, ...drop]]
    case 'deaf':
      return [[...heard, ...drop]]
    case 'apart':
      return [
        [...heard, ...drop],
        [...said, ...drop],
      ]
    case 'refused':
      return [
        [...heard, '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset'],
        [...said, '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset'],
      ]
    case 'lossy':
      return [
        [...heard, ...sometimes],
        [...said, ...sometimes],
      ]
    default:
      return how satisfies never
  }
}

const ip = (...args: readonly string[]): void => run(['ip', ...args])

function run([program = '', ...args]: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
}
