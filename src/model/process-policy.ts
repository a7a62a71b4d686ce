import { z } from 'zod'
import { AbsolutePath, HostPath, Isolation, User } from './process.ts'
import { EnvName } from './template.ts'

/** What the operator of a machine lets manifests do with plain processes there; nothing in git can widen it. */
export const ProcessPolicy = z.strictObject({
  minIsolation: Isolation.default('none').meta({ description: 'weaker ones are refused; a task that names none gets this one' }),
  users: z
    .array(User)
    .optional()
    .meta({ description: 'users, as user or user:group, that a task may name; it then has to name one, or get defaultUser. Absent: any' }),
  defaultUser: User.optional().meta({ description: "of tasks that name none; absent: nobody in a sandbox, else the agent's" }),
  runAsNonRoot: z.boolean().default(false).meta({ description: 'refuse tasks that would run as root' }),
  programs: z
    .array(AbsolutePath)
    .optional()
    .meta({ description: 'folders, one of which must hold the program of a task; sandboxes can read them. Absent: any' }),
  hostPaths: z.array(HostPath).default([]).meta({ description: 'what a sandboxed task may ask to see; readOnly: it may not ask to write' }),
  passEnvironment: z
    .array(EnvName)
    .default(['LANG', 'TZ'])
    .meta({ description: "variables of the agent's environment that tasks get too" }),
  maxPids: z
    .int()
    .min(1)
    .max(4_194_304)
    .default(4096)
    .meta({ description: 'processes and threads of one task, where a cgroup can count them' }),
})
export type ProcessPolicy = z.infer<typeof ProcessPolicy>

export const DEFAULT_PROCESS_POLICY: ProcessPolicy = ProcessPolicy.parse({})
