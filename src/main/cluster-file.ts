import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Membership } from '../control/leader/membership.ts'
import { writeDurably } from '../lib/durable-file.ts'
import { nullOn } from '../lib/errors.ts'

const FILE = 'cluster.json'

const Kept: z.ZodType<Membership> = z.object({
  cluster: z.string().min(1),
  state: z.enum(['Creating', 'Member']),
  revision: z.string().regex(/^\d+$/),
  epochBase: z.number().int().nonnegative(),
})

/** What the data directory remembers of its cluster; null: it was in none. @throws Error when the file is not readable as such */
export async function readMembership(dataDir: string): Promise<Membership | null> {
  const path = join(dataDir, FILE)
  const text = await readFile(path, 'utf8').catch(nullOn('ENOENT'))
  if (text === null) return null
  try {
    return Kept.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${path} cannot be read as what this server remembers of its cluster; restore it from a backup`, { cause })
  }
}

export const writeMembership = (dataDir: string, membership: Membership): Promise<void> =>
  writeDurably(join(dataDir, FILE), `${JSON.stringify(membership, null, 2)}\n`)
