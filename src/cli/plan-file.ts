import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT } from './exit.ts'
import { onDisk } from './files.ts'
import { writePrivate } from './write.ts'

const FORMAT = 'drover-plan/1'

/** A plan as one person made it and another, or a pipeline, has it applied. */
const PlanFile = z.object({
  format: z.literal(FORMAT),
  cluster: z.string(),
  app: z.string(),
  revision: z.string().min(1),
  fingerprint: z.string().min(1),
  /** As people read it. */
  text: z.string(),
  createdAt: z.iso.datetime(),
})
export type PlanFile = z.infer<typeof PlanFile>

/** The whole file or none, for its owner alone: a plan may show what manifests hold. @throws CliError 1. */
export const writePlanFile = (deps: CliDeps, path: string, plan: Omit<PlanFile, 'format'>): Promise<void> =>
  writePrivate(deps, path, `${JSON.stringify({ format: FORMAT, ...plan }, null, 2)}\n`)

/** @throws CliError 2 for what `drover plan --out` has not written. */
export async function readPlanFile({ cwd }: CliDeps, path: string): Promise<PlanFile> {
  const value = jsonOf(await onDisk(path, () => readFile(resolve(cwd, path), 'utf8')))
  const format = z.object({ format: z.string() }).safeParse(value).data?.format
  const hint = '`drover plan --out FILE` writes one'
  if (format === undefined) throw new CliError(EXIT.usage, `${path} is no plan`, hint)
  if (format !== FORMAT) throw new CliError(EXIT.usage, `${path} is a plan of format ${format}, and this drover reads ${FORMAT}`, hint)
  const plan = PlanFile.safeParse(value)
  if (plan.success) return plan.data
  throw new CliError(EXIT.usage, `${path} is a broken plan: ${z.prettifyError(plan.error)}`, hint)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
