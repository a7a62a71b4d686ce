import { readdir } from 'node:fs/promises'
import { isDockerd } from './dockerd.mjs'
import { findProgram, runProgram } from './install.mjs'

/** `ACCEPT` or `DROP`: Docker turns it to DROP on a machine that did not forward before, and never back. */
export async function forwardPolicy() {
  return (await runProgram('iptables', ['-S', 'FORWARD'])).startsWith('-P FORWARD DROP') ? 'DROP' : 'ACCEPT'
}

/** Removes the chains that a Docker daemon leaves behind and sets the policy back, unless another daemon still uses them. */
export async function cleanIptables(policy) {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const daemons = await Promise.all(processes.map(isDockerd))
  if (daemons.includes(true)) return
  await runProgram('iptables', ['-P', 'FORWARD', policy])
  for (const program of ['iptables', 'iptables-legacy']) {
    if ((await findProgram(program)) === null) continue
    for (const table of ['filter', 'nat']) await cleanTable(program, table)
  }
}

/** Jumps first, then contents, then the chains: a chain in use cannot be deleted. */
async function cleanTable(program, table) {
  const rules = (await runProgram(program, ['-t', table, '-S'])).split('\n').map((line) => line.split(' '))
  const chains = rules.filter(([verb, chain]) => verb === '-N' && chain?.startsWith('DOCKER')).map(([, chain]) => chain)
  const jumps = rules.filter(([verb, chain, ...rest]) => verb === '-A' && !chains.includes(chain) && chains.includes(rest.at(-1)))
  for (const [, ...rule] of jumps) await runProgram(program, ['-t', table, '-D', ...rule])
  for (const chain of chains) await runProgram(program, ['-t', table, '-F', chain])
  for (const chain of chains) await runProgram(program, ['-t', table, '-X', chain])
}
