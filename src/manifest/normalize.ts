import type { JobSpec, RunSpec } from '../model/batch.ts'
import type { DeploymentSpec, Manifest } from '../model/manifest.ts'
import { type Artifact, DEFAULT_PRIORITY, type EnvVar, type TemplateSpec } from '../model/template.ts'
import { normalizeArtifact } from './artifact.ts'

type Resources = NonNullable<TemplateSpec['containers']>[number]['resources']
type Unit = { env: EnvVar[]; resources: Resources; artifacts: Artifact[] }

const withValue = (env: EnvVar): EnvVar => (env.value === undefined && env.valueFrom === undefined ? { ...env, value: '' } : env)

const normalizeUnit = <T extends Unit>(unit: T): T => ({
  ...unit,
  env: unit.env.map(withValue),
  resources: { requests: { ...unit.resources.limits, ...unit.resources.requests }, limits: unit.resources.limits },
  artifacts: unit.artifacts.map(normalizeArtifact),
})

function normalizeTemplate(spec: TemplateSpec, restartPolicy: 'Always' | 'OnFailure'): TemplateSpec {
  const { containers, processes, priority, ...rest } = spec
  const filled = {
    ...rest,
    driver: spec.driver ?? (containers === undefined ? 'process' : 'docker'),
    restartPolicy: spec.restartPolicy ?? restartPolicy,
  }
  return {
    ...filled,
    ...(priority === undefined || priority === DEFAULT_PRIORITY ? {} : { priority }),
    ...(containers === undefined ? {} : { containers: containers.map(normalizeUnit) }),
    ...(processes === undefined ? {} : { processes: processes.map(normalizeUnit) }),
  }
}

const withTemplate = <T extends DeploymentSpec | RunSpec>(spec: T, restartPolicy: 'Always' | 'OnFailure'): T => ({
  ...spec,
  template: { ...spec.template, spec: normalizeTemplate(spec.template.spec, restartPolicy) },
})

/** Where an end is an end, git coming back to it changes nothing; else each change counts. */
const onRevertOf = ({ runPolicy, onRevert }: JobSpec): JobSpec['onRevert'] => onRevert ?? (runPolicy === 'OncePerSpec' ? 'Skip' : 'Run')

/**
 * Fills the defaults that depend on other fields, so that saying a default and leaving it out are the same inputs:
 * `driver`, `restartPolicy`, requests from limits, an empty `value`, one spelling of each path; the default `priority` is left out.
 */
export function normalize(manifest: Manifest): Manifest {
  if (manifest.kind === 'Deployment') return { ...manifest, spec: withTemplate(manifest.spec, 'Always') }
  if (manifest.kind === 'Job')
    return { ...manifest, spec: { ...withTemplate(manifest.spec, 'OnFailure'), onRevert: onRevertOf(manifest.spec) } }
  if (manifest.kind !== 'CronJob') return manifest
  const { jobTemplate } = manifest.spec
  return { ...manifest, spec: { ...manifest.spec, jobTemplate: { spec: withTemplate(jobTemplate.spec, 'OnFailure') } } }
}
