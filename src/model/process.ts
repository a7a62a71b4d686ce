import { z } from 'zod'
import { MemoryBytes } from './quantity.ts'

/** How far a process is kept apart from its machine; each holds what the one before it does. */
export const Isolation = z.enum(['none', 'cgroup', 'sandbox'])
export type Isolation = z.infer<typeof Isolation>

/** True when `one` keeps a process apart at least as far as `other` does. */
export const isolatesAs = (one: Isolation, other: Isolation): boolean => Isolation.options.indexOf(one) >= Isolation.options.indexOf(other)

export const User = z.string().regex(/^[a-z0-9_][a-z0-9_.-]{0,63}(:[a-z0-9_][a-z0-9_.-]{0,63})?$/i, 'must be a user, or user:group')

/** Where a sandboxed process finds its own files, and what is made anew for it: nothing of the machine can be put there. */
export const SANDBOX_WORK = '/work'
export const SANDBOX_TMP = '/tmp'
const SANDBOX_OWN: readonly string[] = [SANDBOX_WORK, SANDBOX_TMP, '/dev', '/proc']

export const AbsolutePath = z
  .string()
  .max(4096)
  .regex(/^(\/(?!\.{1,2}(\/|$))[^/\0\n]+)+$/, 'must be an absolute path without "..", such as /srv/data')

export const HostPath = z.strictObject({
  path: AbsolutePath.refine((path) => !SANDBOX_OWN.some((own) => path === own || path.startsWith(`${own}/`)), {
    error: `must not be in ${SANDBOX_OWN.join(', ')}: a sandbox has these of its own`,
  }),
  readOnly: z.boolean().default(false),
})
export type HostPath = z.infer<typeof HostPath>

export const Sandbox = z.strictObject({
  network: z
    .enum(['Host', 'None'])
    .default('Host')
    .meta({ description: "Host: the machine's own, with the ports that the scheduler gave; None: nothing but a loopback of its own" }),
  hostPaths: z
    .array(HostPath)
    .default([])
    .meta({ description: 'files or folders of the machine, at the same path in the sandbox; the policy of the machine must list them' }),
})
export type Sandbox = z.infer<typeof Sandbox>

const count = (description: string) => z.int().min(0).max(4_294_967_295).optional().meta({ description })

/** Limits of each single process, soft and hard alike; an absent one is the agent's. */
export const Ulimits = z.strictObject({
  nofile: count('open files'),
  nproc: count('processes and threads of the user, over all of its tasks'),
  core: MemoryBytes.optional().meta({ description: 'size of a core dump; 0 when absent' }),
  fsize: MemoryBytes.optional().meta({ description: 'size of a file that it writes' }),
})
export type Ulimits = z.infer<typeof Ulimits>

/** What a machine can do to keep processes apart, and the least that its operator wants. */
export const IsolationOffer = z.object({ offered: z.array(Isolation).readonly(), minimum: Isolation })
export type IsolationOffer = z.infer<typeof IsolationOffer>
