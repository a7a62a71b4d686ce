import type { Oid, WorkloadKey } from '../../src/model/ids.ts'
import { workloadKey } from '../../src/model/ids.ts'
import { Deployment, Job } from '../../src/model/manifest.ts'
import type { WorkloadVersion } from '../../src/model/version.ts'

interface Inputs {
  readonly configs?: WorkloadVersion['configs']
  readonly trees?: Record<string, string>
}

const apiVersion = 'drover.dev/v1'
const treesOf = (trees: Record<string, string> = {}): Record<string, Oid> =>
  Object.fromEntries(Object.entries(trees).map(([folder, oid]) => [folder, oid as Oid]))

/** A Deployment as the manifests give it, with every default. */
export function deployment(name: string, spec: object, { configs = {}, trees }: Inputs = {}): WorkloadVersion {
  const parsed = Deployment.parse({ apiVersion, kind: 'Deployment', metadata: { name }, spec })
  return { kind: 'Deployment', namespace: 'default', name, spec: parsed.spec, configs, trees: treesOf(trees) }
}

export function job(name: string, spec: object, { configs = {}, trees }: Inputs = {}): WorkloadVersion {
  const parsed = Job.parse({ apiVersion, kind: 'Job', metadata: { name }, spec })
  return { kind: 'Job', namespace: 'default', name, spec: parsed.spec, configs, trees: treesOf(trees) }
}

/** The template of one container called `web`. */
export const web = (container: object, rest: object = {}): object => ({
  spec: { containers: [{ name: 'web', image: 'nginx:1.26', ...container }], ...rest },
})

export const keyed = (...versions: WorkloadVersion[]): Map<WorkloadKey, WorkloadVersion> =>
  new Map(versions.map((version) => [workloadKey(version.namespace, version.kind, version.name), version]))
