import { z } from 'zod'
import { Oid } from './ids.ts'
import type { DeploymentSpec, JobSpec } from './manifest.ts'

/** ConfigMap contents and git trees that a template uses, by name and by folder. */
const inputs = {
  configs: z.record(z.string(), z.record(z.string(), z.string())),
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
])
export type WorkloadVersion = z.infer<typeof WorkloadVersion>
