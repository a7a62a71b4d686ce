import type { WorkloadManifest } from '../model/manifest.ts'
import type { WorkloadVersion } from '../model/version.ts'

/** A workload with its references resolved: what the inputs digest is taken of. */
export function versionOf(manifest: WorkloadManifest, inputs: Pick<WorkloadVersion, 'configs' | 'secrets' | 'trees'>): WorkloadVersion {
  const { namespace, name } = manifest.metadata
  const named = { namespace, name, ...inputs }
  switch (manifest.kind) {
    case 'Deployment':
      return { kind: 'Deployment', spec: manifest.spec, ...named }
    case 'Job':
      return { kind: 'Job', spec: manifest.spec, ...named }
    case 'CronJob':
      return { kind: 'CronJob', spec: manifest.spec, ...named }
  }
}
