import { NAME_PATTERN, type WorkloadKey, type WorkloadKind, workloadKey } from '../model/ids.ts'
import {
  API_VERSION,
  App,
  ConfigMap,
  CronJob,
  Deployment,
  Job,
  type Manifest,
  PLANNED_KINDS,
  Secret,
  type WorkloadManifest,
} from '../model/manifest.ts'
import type { Located } from './issues.ts'
import { planned, REMOVE_PLANNED } from './issues.ts'
import type { Path } from './positions.ts'
import { type Finding, quote } from './problem.ts'
import { didYouMean, suggest } from './suggest.ts'

export const SCHEMAS = { App, Deployment, Job, CronJob, ConfigMap, Secret } as const
export type Kind = keyof typeof SCHEMAS

/** What names an object: of these there may be one in a revision. */
export type Identity = { kind: Kind; namespace: string; name: string }

export const identityText = ({ kind, namespace, name }: Identity): string => `${kind} ${namespace}/${name}`
const isWorkloadKind = (kind: Kind): kind is WorkloadKind => kind === 'Deployment' || kind === 'Job' || kind === 'CronJob'
export const keyOfIdentity = ({ kind, namespace, name }: Identity): WorkloadKey | null =>
  isWorkloadKind(kind) ? workloadKey(namespace, kind, name) : null

const IGNORE_HINT = 'a file of another tool can stay with `# drover:ignore` in its first line'
const isKind = (kind: unknown): kind is Kind => typeof kind === 'string' && Object.hasOwn(SCHEMAS, kind)

export const isWorkload = (manifest: Manifest): manifest is WorkloadManifest => isWorkloadKind(manifest.kind)

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const field = (value: unknown, name: string): unknown => (isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined)

/** True when a document says what it is, ours or not. */
export const hasType = (value: unknown): boolean => field(value, 'apiVersion') !== undefined || field(value, 'kind') !== undefined

/** True for our version and for what is likely a slip of it; a document of another tool is not. */
function isOurs(value: unknown): boolean {
  const version = field(value, 'apiVersion')
  if (version === undefined) return true
  return typeof version === 'string' && (version.startsWith('drover.dev') || suggest(version, [API_VERSION]) !== null)
}

const isName = (value: unknown): value is string => typeof value === 'string' && NAME_PATTERN.test(value)

/** The object a document is about, valid or not; null when that cannot be read. */
export function identityOf(value: unknown): Identity | null {
  const kind = field(value, 'kind')
  const metadata = field(value, 'metadata')
  const name = field(metadata, 'name')
  const namespace = field(metadata, 'namespace') ?? 'default'
  return isOurs(value) && isKind(kind) && isName(name) && isName(namespace) ? { kind, namespace, name } : null
}

const HOLD_NO_TASKS: ReadonlySet<string> = new Set<Kind>(['App', 'ConfigMap', 'Secret'])

/** True when a broken document might have been any workload, so nothing may be taken for removed. */
export function mayHideWorkload(value: unknown): boolean {
  const kind = field(value, 'kind')
  if (!isOurs(value) || identityOf(value) !== null) return false
  return !(typeof kind === 'string' && (HOLD_NO_TASKS.has(kind) || PLANNED_KINDS.includes(kind)))
}

const shown = (value: unknown): string => quote(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
const about = (path: Path, finding: Finding): Located => ({ path, on: 'value', tell: () => finding })

function kindFinding(kind: unknown): Finding {
  if (kind === undefined) return { message: 'missing field `kind`', hint: `kinds: ${Object.keys(SCHEMAS).join(', ')}` }
  if (typeof kind === 'string' && PLANNED_KINDS.includes(kind)) return { message: planned(`kind ${quote(kind)}`), hint: REMOVE_PLANNED }
  const near = typeof kind === 'string' ? didYouMean(kind, [...Object.keys(SCHEMAS), ...PLANNED_KINDS]) : null
  return { message: `unknown kind ${shown(kind)}`, hint: near ?? `kinds: ${Object.keys(SCHEMAS).join(', ')}` }
}

function versionFinding(kind: unknown, version: unknown): Finding {
  const ours = isKind(kind)
  const addIt = `write apiVersion: ${API_VERSION}`
  if (version === undefined) {
    if (ours || (typeof kind === 'string' && PLANNED_KINDS.includes(kind))) return { message: 'missing field `apiVersion`', hint: addIt }
    return { message: `kind ${shown(kind)} is not Drover's`, hint: IGNORE_HINT }
  }
  if (isOurs({ apiVersion: version })) return { message: `unknown apiVersion ${shown(version)}`, hint: addIt }
  return {
    message: `kind ${shown(kind)} of apiVersion ${shown(version)} is not Drover's`,
    hint: ours ? `${addIt}; ${IGNORE_HINT}` : IGNORE_HINT,
  }
}

type Typed = { ok: true; kind: Kind } | { ok: false; located: Located }

const isEncrypted = (text: unknown): boolean => typeof text === 'string' && text.startsWith('ENC[')
const ENCRYPTED: Finding = {
  message: 'apiVersion and kind are encrypted',
  hint: "encrypt only the values: sops --encrypted-regex '^(data|stringData)$'",
}

/** Which schema a document must fit. */
export function typeOf(value: unknown): Typed {
  if (!hasType(value))
    return { ok: false, located: about([], { message: 'a manifest needs apiVersion and kind', hint: `write apiVersion: ${API_VERSION}` }) }
  const kind = field(value, 'kind')
  const version = field(value, 'apiVersion')
  if (isEncrypted(kind)) return { ok: false, located: about(['kind'], ENCRYPTED) }
  if (version !== API_VERSION)
    return { ok: false, located: about([version === undefined ? 'kind' : 'apiVersion'], versionFinding(kind, version)) }
  return isKind(kind) ? { ok: true, kind } : { ok: false, located: about(['kind'], kindFinding(kind)) }
}
