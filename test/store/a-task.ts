import { type AgentId, type Digest, type TaskId, workloadKey } from '../../src/model/ids.ts'
import type { Task } from '../../src/model/task.ts'

/** A task like those of a busy cluster. */
export const aTask = (id: string): Task => ({
  id: id as TaskId,
  workload: workloadKey('default', 'Deployment', 'web'),
  app: 'shop',
  slot: '3',
  run: null,
  agent: 'agent-17' as AgentId,
  ports: { http: 20_001, metrics: 20_002 },
  inputsDigest: 'a'.repeat(64) as Digest,
  templateDigest: 'b'.repeat(64) as Digest,
  revision: `main@sha1:${'c'.repeat(40)}`,
  desired: 'run',
  stopReason: null,
  generation: 2,
  maxRestarts: null,
  createdAt: 1_795_132_800_000,
})
