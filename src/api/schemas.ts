import { z } from 'zod'
import { NAME_PATTERN, Oid } from '../model/ids.ts'
import { Role, TokenKind } from '../model/trust.ts'

/** Requests as they arrive; what they become is typed in control/control-plane.ts. */

const Id = z.string().min(1).max(128)
const Name = z.string().regex(NAME_PATTERN, 'must be a name of lower-case letters, digits and "-"')

/** Goes into history and events, so it is one short printable line. */
const Actor = z
  .string()
  .regex(/^[\x20-\x7e]{1,100}$/, 'must be 1 to 100 printable characters')
  .default('api')

export const AppParam = z.object({ name: Name })
export const IdParam = z.object({ id: Id })
export const WorkloadParam = z.object({ namespace: Name, kind: z.enum(['Deployment', 'Job', 'CronJob']), name: Name })
export const OidParam = z.object({ oid: Oid })

export const TasksQuery = z.strictObject({ run: Id.optional() })
export const EventsQuery = z.strictObject({ object: z.string().max(300).optional(), app: Name.optional() })
export const WhyQuery = z.strictObject({ object: z.string().min(3).max(300), namespace: Name.default('default') })

const Count = z.coerce.number().int()
const Moment = z.iso.datetime({ offset: true, error: 'must be a time as in RFC 3339, such as 2026-11-21T18:00:00Z' }).transform(Date.parse)
export const LogsQuery = z
  .strictObject({
    unit: Name.nullable().default(null),
    attempt: Count.min(1).nullable().default(null),
    tail: Count.min(0).max(1_000_000).nullable().default(null),
    since: Moment.nullable().default(null),
    until: Moment.nullable().default(null),
    follow: z
      .enum(['true', 'false'])
      .default('false')
      .transform((text) => text === 'true'),
  })
  .refine(({ until, follow }) => until === null || !follow, {
    path: ['until'],
    error: 'ends what follow goes on with: leave one of them out',
  })

export const PlanBody = z.strictObject({
  ref: z.string().min(1).max(255).nullable().default(null),
  files: z
    .array(z.strictObject({ path: z.string().min(1).max(1024), text: z.string() }))
    .max(2000)
    .nullable()
    .default(null),
})

export const SyncBody = z.strictObject({
  allowDelete: z.enum(['WithinBudget', 'Any']).default('WithinBudget'),
  plan: z
    .strictObject({ revision: z.string().min(1).max(300), fingerprint: z.string().min(1).max(200) })
    .nullable()
    .default(null),
  retry: z.enum(['No', 'Quarantined']).default('No'),
  actor: Actor,
})

export const RollbackBody = z.strictObject({
  to: z.string().min(1).max(300),
  revert: z.enum(['No', 'CommitToGit']).default('No'),
  actor: Actor,
})

export const DrainBody = z.strictObject({ deadlineSeconds: z.int().min(0).max(2_592_000), actor: Actor })

export const ForgetBody = z.strictObject({ connected: z.enum(['Refuse', 'Forget']).default('Refuse'), actor: Actor })

/** Of a verb that needs to know no more than who asks. */
export const ActorBody = z.strictObject({ actor: Actor })

const TEN_YEARS_SECONDS = 315_360_000

export const NewTokenBody = z.strictObject({
  kind: TokenKind,
  name: z
    .string()
    .regex(/^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/, 'must be 1 to 64 printable characters')
    .nullable()
    .default(null),
  role: Role.nullable().default(null),
  namespaces: z.array(Name).min(1).max(100).nullable().default(null),
  ttlSeconds: z.int().min(1).max(TEN_YEARS_SECONDS).nullable().default(null),
  uses: z.int().min(1).max(100_000).nullable().default(null),
  actor: Actor,
})

export const FinishBody = z.strictObject({ drop: z.enum(['WhenUnused', 'Anyway']).default('WhenUnused'), actor: Actor })
