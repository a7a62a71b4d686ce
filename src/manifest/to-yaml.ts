import type { RunSpec } from '../model/batch.ts'
import { bodyOf } from '../model/body.ts'
import type { Manifest } from '../model/manifest.ts'
import type { TemplateSpec } from '../model/template.ts'
import { isWorkload } from './identity.ts'

type Quantities = { cpu?: number | undefined; memory?: number | undefined }

/** Thousandths of a core are written with "m"; a plain number would be read as cores. */
const quantities = ({ cpu, ...rest }: Quantities) => (cpu === undefined ? rest : { ...rest, cpu: `${cpu}m` })

const unitText = <T extends { resources: { requests: Quantities; limits: Quantities } }>(unit: T) => ({
  ...unit,
  resources: { requests: quantities(unit.resources.requests), limits: quantities(unit.resources.limits) },
})

const templateText = ({ containers, processes, ...rest }: TemplateSpec) => ({
  ...rest,
  containers: containers?.map(unitText),
  processes: processes?.map(unitText),
})

/** Without the fields that another leaves no meaning to. */
function runText({ completions, parallelism, completionMode, backoffLimit, ...spec }: RunSpec, template: unknown) {
  const size = spec.mode === 'Global' ? {} : { completions, parallelism, completionMode }
  return { ...spec, ...size, ...(spec.backoffLimitPerIndex === undefined ? { backoffLimit } : {}), template }
}

function cronJobText(manifest: Extract<Manifest, { kind: 'CronJob' }>, template: unknown) {
  const { timeZone, missedRuns, jobTemplate, ...spec } = manifest.spec
  const times = spec.after === undefined ? { timeZone, missedRuns } : {}
  return { ...manifest, spec: { ...spec, ...times, jobTemplate: { spec: runText(jobTemplate.spec, template) } } }
}

/** A normalized manifest as plain data that reads back as the same manifest: quantities with units, no field without meaning. */
export function manifestObject(manifest: Manifest): unknown {
  if (!isWorkload(manifest)) return manifest
  const body = bodyOf(manifest)
  const template = { ...body.template, spec: templateText(body.template.spec) }
  if (manifest.kind === 'CronJob') return cronJobText(manifest, template)
  if (manifest.kind === 'Job') return { ...manifest, spec: runText(manifest.spec, template) }
  const { replicas, strategy, ...spec } = manifest.spec
  return {
    ...manifest,
    spec: {
      ...spec,
      ...(spec.mode === 'Global' ? {} : { replicas }),
      strategy: strategy.type === 'Recreate' ? { type: strategy.type } : strategy,
      template,
    },
  }
}
