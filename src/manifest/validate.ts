import { App, ConfigMap, CronJob, Deployment, Job, type Manifest, Secret } from '../model/manifest.ts'
import type { Problem } from '../model/records.ts'
import type { SopsDocument } from '../model/secret.ts'
import { type Identity, identityOf, type Kind, mayHideWorkload, SCHEMAS, typeOf } from './identity.ts'
import { type Located, translate } from './issues.ts'
import { MAX_PROBLEMS } from './limits.ts'
import { normalize } from './normalize.ts'
import type { ParsedDocument } from './parse.ts'
import type { Path } from './positions.ts'
import { byPlace, type Place, problemAt } from './problem.ts'
import { type Reference, referencesOf } from './references.ts'
import { checkMeaningless, checkRules } from './rules.ts'
import { sopsDocumentOf } from './sops-document.ts'
import { describeIssue } from './wording.ts'

/** One document, checked by itself. Plain JSON: it can be cached and sent between threads. */
export type CheckedDocument = {
  at: Place
  /** The object it is about; null when that cannot be read. */
  identity: Identity | null
  /** Normalized: defaults filled, quantities as numbers. Null when the document is broken. */
  manifest: Manifest | null
  references: Reference[]
  /** What opens a Secret; null for all other kinds. */
  sops: SopsDocument | null
  /** True when it is broken and might be any workload: nothing may be taken for removed. */
  mayHideWorkload: boolean
}

type Validated = { document: CheckedDocument; problems: Problem[] }

type Outcome = { manifest: Manifest; located: [] } | { manifest: null; located: Located[] }

/** A switch, so that each kind keeps its own type. */
function parseKind(kind: Kind, value: unknown) {
  const options = { error: describeIssue, reportInput: true }
  switch (kind) {
    case 'App':
      return App.safeParse(value, options)
    case 'Deployment':
      return Deployment.safeParse(value, options)
    case 'Job':
      return Job.safeParse(value, options)
    case 'CronJob':
      return CronJob.safeParse(value, options)
    case 'ConfigMap':
      return ConfigMap.safeParse(value, options)
    case 'Secret':
      return Secret.safeParse(value, options)
  }
}

function check(value: unknown, written: (path: Path) => boolean): Outcome {
  const typed = typeOf(value)
  if (!typed.ok) return { manifest: null, located: [typed.located] }
  const result = parseKind(typed.kind, value)
  if (!result.success) return { manifest: null, located: translate(SCHEMAS[typed.kind], typed.kind, result.error.issues) }
  const manifest: Manifest = result.data
  const located = [...checkRules(manifest), ...checkMeaningless(manifest, written)]
  return located.length > 0 ? { manifest: null, located } : { manifest: normalize(manifest), located: [] }
}

function isWritten(value: unknown, path: Path): boolean {
  const end = path.reduce<unknown>((at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined), value)
  return end !== undefined
}

/** The first problems by place; the last one says that there are more. */
export function capProblems(problems: readonly Problem[], max: number): Problem[] {
  const sorted = [...problems].sort(byPlace)
  const next = sorted[max - 1]
  if (sorted.length <= max || next === undefined) return sorted
  return [...sorted.slice(0, max - 1), { ...next, message: 'there are more problems from here on', hint: 'mend those above first' }]
}

/** Mistakes of one document as problems in their places, capped. */
export function tellAll(path: string, parsed: ParsedDocument, located: readonly Located[]): Problem[] {
  const placed = located.map(({ path: at, on, tell }) => ({ place: on === 'key' ? parsed.placeOfKey(at) : parsed.place(at), tell }))
  placed.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
  const told = placed.slice(0, MAX_PROBLEMS + 1).map(({ place, tell }) => problemAt(path, place, tell()))
  return capProblems(told, MAX_PROBLEMS)
}

/** Checks one document by itself: shape, types, ranges and the rules inside a kind. */
export function validate(path: string, parsed: ParsedDocument): Validated {
  const outcome: Outcome = parsed.valid ? check(parsed.value, (at) => isWritten(parsed.value, at)) : { manifest: null, located: [] }
  const document: CheckedDocument = {
    at: parsed.at,
    identity: identityOf(parsed.value),
    manifest: outcome.manifest,
    references: outcome.manifest === null ? [] : referencesOf(outcome.manifest, parsed.place),
    sops: outcome.manifest?.kind === 'Secret' ? sopsDocumentOf(outcome.manifest, parsed.value) : null,
    mayHideWorkload: outcome.manifest === null && mayHideWorkload(parsed.value),
  }
  return { document, problems: tellAll(path, parsed, outcome.located) }
}
