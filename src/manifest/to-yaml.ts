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

/** A normalized manifest as plain data that reads back as the same manifest: quantities with units, no field without meaning. */
export function manifestObject(manifest: Manifest): unknown {
  if (!isWorkload(manifest)) return manifest
  const template = { ...manifest.spec.template, spec: templateText(manifest.spec.template.spec) }
  if (manifest.kind === 'Job') return { ...manifest, spec: { ...manifest.spec, template } }
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
