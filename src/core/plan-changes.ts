import { BODY_PATH, bodyOf } from '../model/body.ts'
import { parseWorkloadKey, type WorkloadKey } from '../model/ids.ts'
import type { SealedValue } from '../model/secret.ts'
import type { WorkloadVersion } from '../model/version.ts'
import { dependencyKeys } from './dependencies.ts'
import { diffValues, type FieldChange, sameValue } from './diff.ts'
import { displaySpec } from './plan-display.ts'
import { contentMark, lineSummary, looksSecret, MASKED, MASKED_CHANGE, maskValue } from './plan-mask.ts'
import { createNotes, restartNotes, stopNotes } from './plan-notes.ts'
import { templateInputs } from './template-inputs.ts'

/** A field of a plan, safe to show: secret-looking values and contents of files are masked already. */
export interface PlannedField extends FieldChange {
  readonly forcesRestart: boolean
  /** Said instead of the values; null: show the values. */
  readonly summary: string | null
}

export type PlanAction = 'create' | 'update' | 'replace' | 'delete' | 'none'

export interface WorkloadChange {
  readonly key: WorkloadKey
  /** `update` leaves tasks alone, or adds and stops some; `replace` restarts them. */
  readonly action: PlanAction
  readonly fields: readonly PlannedField[]
  /** What it means for tasks, in words. */
  readonly notes: readonly string[]
  /** As the manifest that is to be has it; of a removal, as the one that runs had it. */
  readonly dependsOn: readonly WorkloadKey[]
}

type Versions = ReadonlyMap<WorkloadKey, WorkloadVersion>

/** What a set of desired workloads changes, against what is wanted now; every workload of both, sorted by key. `applied` are taken in anew though they stay the same. */
export function diffWorkloads(live: Versions, desired: Versions, applied: ReadonlySet<WorkloadKey> = new Set()): WorkloadChange[] {
  const keys = [...new Set([...live.keys(), ...desired.keys()])].sort()
  return keys.flatMap((key) => {
    const [before, after] = [live.get(key), desired.get(key)]
    if (before !== undefined && after !== undefined) return [again(changed(key, before, after), applied)]
    if (after !== undefined)
      return [{ ...identified(key, after), action: 'create' as const, fields: headline(after), notes: createNotes(after) }]
    return before === undefined ? [] : [{ ...identified(key, before), action: 'delete' as const, fields: [], notes: stopNotes(before) }]
  })
}

/** Its policy is to run for each revision. */
function again(change: WorkloadChange, applied: ReadonlySet<WorkloadKey>): WorkloadChange {
  return change.action === 'none' && applied.has(change.key) ? { ...change, action: 'update', notes: ['runs, as for each commit'] } : change
}

const identified = (key: WorkloadKey, { spec }: WorkloadVersion) => ({ key, dependsOn: dependencyKeys(key, spec.dependsOn) })

function changed(key: WorkloadKey, before: WorkloadVersion, after: WorkloadVersion): WorkloadChange {
  const restart = !sameValue(templateInputs(before), templateInputs(after))
  const fields = [specFields, configFields, secretFields, treeFields].flatMap((fieldsOf) => fieldsOf(before, after))
  if (restart) return { ...identified(key, after), action: 'replace', fields, notes: restartNotes(before, after) }
  return { ...identified(key, after), action: fields.length === 0 ? 'none' : 'update', fields, notes: [] }
}

/** Another order of named entries is told, for it makes another digest and so restarts tasks. */
function specFields(before: WorkloadVersion, after: WorkloadVersion): PlannedField[] {
  return diffValues(displaySpec(before), displaySpec(after), { path: 'spec', order: 'report' }).map(safeField)
}

/** A header of a probe is there to be let in more often than not, so none is shown. */
const HEADER_VALUE = /\.httpHeaders\[[^\]]+\]\.value$/
const TEMPLATE = /^spec\.(?:jobTemplate\.spec\.)?template(?:\.|$)/
/** The one field of a template that changes no task that has begun. */
const PRIORITY = /\.template\.spec\.priority$/
const ENV_VALUE = /\.env\[(\w+)\](?:\.value)?$/

function safeField(change: FieldChange): PlannedField {
  const forcesRestart = TEMPLATE.test(change.path) && !PRIORITY.test(change.path)
  const name = ENV_VALUE.exec(change.path)?.[1]
  if ((name !== undefined && looksSecret(name)) || HEADER_VALUE.test(change.path)) return { ...hidden(change), forcesRestart }
  const [before, after] = [maskValue(change.before), maskValue(change.after)]
  const isHidden = sameValue(before, after)
  return { path: change.path, before, after, forcesRestart, summary: isHidden ? MASKED_CHANGE : textSummary(before, after) }
}

function hidden({ path, before, after }: FieldChange): Omit<PlannedField, 'forcesRestart'> {
  const mask = (value: unknown): unknown => (value === undefined ? undefined : MASKED)
  const word = before === undefined ? '(sensitive, added)' : after === undefined ? '(sensitive, removed)' : MASKED_CHANGE
  return { path, before: mask(before), after: mask(after), summary: word }
}

function textSummary(before: unknown, after: unknown): string | null {
  const isText = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'
  return isText(before) && isText(after) && `${before}${after}`.includes('\n') ? lineSummary(before, after) : null
}

/** Contents of ConfigMaps are whole files: a mark of each side, and how many lines differ. */
function configFields(before: WorkloadVersion, after: WorkloadVersion): PlannedField[] {
  const names = [...new Set([...Object.keys(before.configs), ...Object.keys(after.configs)])].sort()
  return names
    .flatMap((name) => diffValues(before.configs[name], after.configs[name], { path: `configMap[${name}].data` }))
    .map((change) => ({ ...configField(change), forcesRestart: true }))
}

function configField(change: FieldChange): Omit<PlannedField, 'forcesRestart'> {
  if (looksSecret(change.path.slice(change.path.indexOf('].data') + 1))) return hidden(change)
  const mark = (value: unknown): unknown => (typeof value === 'string' ? contentMark(value) : value)
  return { path: change.path, before: mark(change.before), after: mark(change.after), summary: textSummary(change.before, change.after) }
}

/** Which values changed, and nothing of them: a mark of a short one could be guessed. */
function secretFields({ secrets: before = {} }: WorkloadVersion, { secrets: after = {} }: WorkloadVersion): PlannedField[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names
    .flatMap((name) => diffValues(sealedTexts(before[name]), sealedTexts(after[name]), { path: `secret[${name}].data` }))
    .map((change) => ({ ...hidden(change), forcesRestart: true }))
}

const sealedTexts = (values: Readonly<Record<string, SealedValue>> | undefined): Record<string, string> | undefined =>
  values && Object.fromEntries(Object.entries(values).map(([key, { sealed }]) => [key, sealed]))

const TREE_DIGITS = 8

function treeFields(before: WorkloadVersion, after: WorkloadVersion): PlannedField[] {
  const short = (oid: string | undefined): string | undefined => (oid === undefined ? undefined : `<${oid.slice(0, TREE_DIGITS)}>`)
  const folders = [...new Set([...Object.keys(before.trees), ...Object.keys(after.trees)])].sort()
  return folders
    .filter((folder) => before.trees[folder] !== after.trees[folder])
    .map((folder) => ({
      path: `git[${folder}]`,
      before: short(before.trees[folder]),
      after: short(after.trees[folder]),
      forcesRestart: true,
      summary: null,
    }))
}

/** The few facts that tell a new workload from others; a whole manifest of defaults would hide them. */
function headline(version: WorkloadVersion): PlannedField[] {
  const { containers = [], processes = [] } = bodyOf(version).template.spec
  const units = [
    ...containers.map(({ name, image }) => ({ path: `containers[${name}].image`, after: image })),
    ...processes.map(({ name, command }) => ({ path: `processes[${name}].command`, after: command })),
  ]
  const at = BODY_PATH[version.kind].join('.')
  const facts = [sizeOf(version), ...units.map(({ path, after }) => ({ path: `${at}.template.spec.${path}`, after }))]
  return facts.map(({ path, after }) => ({ ...safeField({ path, before: undefined, after }), forcesRestart: false }))
}

function sizeOf(version: WorkloadVersion): { path: string; after: unknown } {
  switch (version.kind) {
    case 'CronJob':
      return version.spec.after === undefined
        ? { path: 'spec.schedule', after: version.spec.schedule }
        : { path: 'spec.after', after: version.spec.after }
    case 'Job':
      return globalOr(version.spec, { path: 'spec.completions', after: version.spec.completions })
    case 'Deployment':
      return globalOr(version.spec, { path: 'spec.replicas', after: version.spec.replicas })
  }
}

const globalOr = <T>({ mode }: { mode: string }, size: T): T | { path: string; after: unknown } =>
  mode === 'Global' ? { path: 'spec.mode', after: 'Global' } : size

/** Where a key stands in sentences and headings: `Deployment default/web`. */
export function workloadTitle(key: WorkloadKey): string {
  const { namespace, kind, name } = parseWorkloadKey(key)
  return `${kind} ${namespace}/${name}`
}
