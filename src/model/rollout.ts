import { z } from 'zod'
import { AgentId, Digest, TaskId, WorkloadKey } from './ids.ts'

/** One version of a workload that runs, ran or shall run, and the revision that brought it. */
export const Target = z.object({ inputsDigest: Digest, templateDigest: Digest, revision: z.string() })
export type Target = z.infer<typeof Target>

/** The very image that each container of the new version was resolved to when it first ran, by agent and container. */
export const ImagePins = z.record(AgentId, z.record(z.string(), z.string()))
export type ImagePins = z.infer<typeof ImagePins>

/** What a failed task showed: how its attempt ended, or what a probe said, and its last words. */
export const Evidence = z.object({
  task: TaskId,
  attempt: z.number().int().nonnegative(),
  code: z.string(),
  message: z.string(),
  exitCode: z.number().int().nullable(),
  lastLines: z.array(z.string()),
})
export type Evidence = z.infer<typeof Evidence>

/** Inputs of another workload that took this one down with them; a change of those is a reason to try this one again. */
export const RootCause = z.object({ workload: WorkloadKey, inputsDigest: Digest })
export type RootCause = z.infer<typeof RootCause>

/** Why a rollout did not succeed. */
export const Failure = z.object({
  /** `CrashLoop`, `ProgressDeadlineExceeded`, `DependencyFailed`, `Aborted`. */
  code: z.string(),
  message: z.string(),
  because: RootCause.nullable(),
  evidence: z.array(Evidence),
})
export type Failure = z.infer<typeof Failure>

/**
 * Where a rollout stands. Data stands only in the phase in which it exists. The transitions are a table in
 * `core/rollout/step.ts`; nothing of a rollout lives anywhere else.
 */
export const RolloutState = z.discriminatedUnion('phase', [
  /** For its dependencies; `stuckSince`: since when none of them moves. */
  z.object({ phase: z.literal('Waiting'), stuckSince: z.number().nullable() }),
  /** `step`: the canary step that is being reached; null: all of it is rolled out. `best`: most new tasks that were available, at `progressAt`. */
  z.object({ phase: z.literal('Rolling'), step: z.number().int().nullable(), best: z.number().int(), progressAt: z.number() }),
  /** At a canary step that is reached; `until` null: until a person promotes it. */
  z.object({ phase: z.literal('Paused'), step: z.number().int(), until: z.number().nullable() }),
  /** All of it is there and well; a crash loop that shows only now still takes it back. */
  z.object({ phase: z.literal('Proving'), until: z.number() }),
  z.object({ phase: z.literal('Complete') }),
  /** It stays where it is; where a good version is known and the policy says so, the app's next act is to return to that. */
  z.object({ phase: z.literal('Failed'), failure: Failure }),
  z.object({ phase: z.literal('RolledBack'), failure: Failure }),
  z.object({ phase: z.literal('Superseded') }),
])
export type RolloutState = z.infer<typeof RolloutState>
export type RolloutPhase = RolloutState['phase']

/** The way of one Deployment from the version that served to another. */
export const Rollout = z.object({
  /** Workload key and number. */
  id: z.string(),
  workload: WorkloadKey,
  app: z.string(),
  /** Counts the rollouts of this workload, from 1. */
  number: z.number().int().positive(),
  /** The generation of the workload's record that it carries out. */
  generation: z.number().int(),
  /** `Restore`: a return to what was good; when it fails nothing is rolled back again. */
  intent: z.enum(['Update', 'Restore']),
  cause: z.string(),
  from: Target.nullable(),
  to: Target,
  startedAt: z.number(),
  finishedAt: z.number().nullable(),
  images: ImagePins.default({}),
  state: RolloutState,
})
export type Rollout = z.infer<typeof Rollout>
