import { BlockList, isIP } from 'node:net'

/** From where the name of an address was given: the manifest itself named this very machine, or anything else. */
export type Asker = 'loopback' | 'elsewhere'

/**
 * Never fetched from, whoever asks. Link-local is where clouds keep the credentials of a machine (169.254.169.254 of AWS,
 * Azure, Google and others); those below it are where some keep them or their like besides, by their manuals.
 */
const FORBIDDEN = listOf([
  ['169.254.0.0', 16],
  ['fe80::', 10],
  ['fd00:ec2::254', 128], // AWS over IPv6
  ['fd20:ce::254', 128], // Google Cloud over IPv6
  ['168.63.129.16', 32], // Azure's platform services
  ['100.100.100.200', 32], // Alibaba Cloud
  ['192.0.0.192', 32], // Oracle Cloud, classic
  // No single machine: this network, multicast, reserved and broadcast. Linux takes 0.0.0.0 and :: for loopback.
  ['0.0.0.0', 8],
  ['224.0.0.0', 3],
  ['::', 128],
  ['ff00::', 8],
])
const LOOPBACK = listOf([
  ['127.0.0.0', 8],
  ['::1', 128],
])

function listOf(networks: readonly (readonly [address: string, prefix: number])[]): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of networks) list.addSubnet(address, prefix, address.includes(':') ? 'ipv6' : 'ipv4')
  return list
}

/** An IPv4 address that is written as an IPv6 one counts as what it is. */
const isIn = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** By the host of a URL as `URL` gives it: `localhost` or an address of loopback, IPv6 in brackets. */
export const askerOf = (host: string): Asker => {
  const address = host.replace(/^\[|\]$/g, '')
  return host === 'localhost' || (isIP(address) !== 0 && isIn(LOOPBACK, address)) ? 'loopback' : 'elsewhere'
}

/**
 * Why nothing is fetched from that address; null: it may be. Loopback is for manifests that name it, as for a mirror on
 * the machine: no name, and no redirect from another machine, leads an agent to what listens only there.
 */
export function refusalOf(address: string, asker: Asker): string | null {
  if (isIn(FORBIDDEN, address)) return `${address} is link-local, a metadata service or no machine at all`
  return asker === 'elsewhere' && isIn(LOOPBACK, address) ? `${address} is this machine itself, which the manifest does not name` : null
}
