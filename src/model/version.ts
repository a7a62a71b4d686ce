import { z } from 'zod'
import type { CronJobSpec, JobSpec } from './batch.ts'
import { Oid } from './ids.ts'
import type { DeploymentSpec } from './manifest.ts'
import { SealedValue } from './secret.ts'

/** What a template uses: contents of ConfigMaps and Secrets by name and key, git trees by folder. */
const inputs = {
  configs: z.record(z.string(), z.record(z.string(), z.string())),
  /** Absent rather than empty: the digest of what uses none is what it was before there were any. */
  secrets: z.record(z.string(), z.record(z.string(), SealedValue)).optional(),
  trees: z.record(z.string(), Oid),
}

/**
 * A workload with everything it depends on resolved. Its canonical JSON, hashed, is the inputs digest.
 * Stored as a content-addressed blob, so any retained revision can be run without git.
 * The specs hold normalized values (thousandths of a core, bytes), not manifest text.
 */
export const WorkloadVersion = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('Deployment'), namespace: z.string(), name: z.string(), spec: z.custom<DeploymentSpec>(), ...inputs }),
  z.object({ kind: z.literal('Job'), namespace: z.string(), name: z.string(), spec: z.custom<JobSpec>(), ...inputs }),
  z.object({ kind: z.literal('CronJob'), namespace: z.string(), name: z.string(), spec: z.custom<CronJobSpec>(), ...inputs }),
])
export type WorkloadVersion = z.infer<typeof WorkloadVersion>
