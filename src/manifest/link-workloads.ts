import type { WorkloadKey } from '../model/ids.ts'
import type { Problem } from '../model/records.ts'
import { findCycles } from './cycles.ts'
import { type Identity, identityText, keyOfIdentity } from './identity.ts'
import { MAX_REVISION_PROBLEMS } from './limits.ts'
import { type GraphNode, mismatchedParents } from './link-graph.ts'
import { order, type Place, problemAt, quote } from './problem.ts'
import type { DataKind, Reference } from './references.ts'
import { didYouMean } from './suggest.ts'
import type { CheckedDocument } from './validate.ts'

export type Located = { path: string; document: CheckedDocument }
/** Every document whose object is known, by `identityText`. */
export type ObjectIndex = ReadonlyMap<string, readonly Located[]>

type DataReference = Extract<Reference, { type: 'data' }>
type WorkloadReference = Extract<Reference, { type: 'workload' }>
type Check = { index: ObjectIndex; namespace: string; anythingHidden: boolean }
/** `near` gives the hint; it is only worked out for mistakes that are told. */
type Mistake = { path: string; at: Place; message: string; near: () => string | null }

const CYCLE_NAMES = 10
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Names of one kind in a namespace, for suggestions. */
const namesOf = (check: Check, kind: Identity['kind']): string[] => {
  const prefix = `${kind} ${check.namespace}/`
  return [...check.index.keys()].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []))
}

/** The values of a Secret are ciphertext here: good for their names alone. */
function dataOf(
  index: ObjectIndex,
  object: { kind: DataKind; namespace: string; name: string },
): Record<string, string> | 'missing' | 'broken' {
  const found = index.get(identityText(object)) ?? []
  const [only] = found
  if (only === undefined) return 'missing'
  const { manifest } = only.document
  if (found.length > 1 || manifest?.kind !== object.kind) return 'broken'
  return manifest.kind === 'Secret' ? { ...manifest.data, ...manifest.stringData } : manifest.data
}

function checkData(check: Check, { kind, name, use, at }: DataReference): Omit<Mistake, 'path'>[] {
  const data = dataOf(check.index, { kind, namespace: check.namespace, name })
  const title = `${kind} ${check.namespace}/${name}`
  if (data === 'missing') return [{ at, message: `${title} does not exist`, near: () => didYouMean(name, namesOf(check, kind)) }]
  if (data === 'broken') return [{ at, message: `${title} has problems of its own`, near: () => 'mend it first' }]
  if (use.as === 'key' && !Object.hasOwn(data, use.key))
    return [{ at: use.at, message: `${title} has no key ${quote(use.key)}`, near: () => didYouMean(use.key, Object.keys(data)) }]
  const odd = use.as === 'env' ? Object.keys(data).find((key) => !ENV_NAME.test(use.prefix + key)) : undefined
  if (odd === undefined) return []
  const message = `${title} has the key ${quote(odd)}, which cannot name an environment variable`
  return [{ at, message, near: () => 'mount it as files, or take single keys with valueFrom' }]
}

function checkDependency(check: Check, { by, kind, name, at }: WorkloadReference): Omit<Mistake, 'path'>[] {
  const { namespace } = check
  if (check.anythingHidden || check.index.has(identityText({ kind, namespace, name }))) return []
  const other = kind === 'Job' ? 'Deployment' : 'Job'
  const isOther = check.index.has(identityText({ kind: other, namespace, name }))
  const near = () => (isOther ? `there is a ${other} of that name` : didYouMean(name, namesOf(check, kind)))
  return [{ at, message: `${by} names no workload of this revision: ${kind} ${namespace}/${name}`, near }]
}

function checkReferences({ path, document }: Located, check: Check): Mistake[] {
  const mistakes = document.references.flatMap((reference) =>
    reference.type === 'data' ? checkData(check, reference) : checkDependency(check, reference),
  )
  return mistakes.map((mistake) => ({ ...mistake, path }))
}

const tell = ({ path, at, message, near }: Mistake, index: number): Problem =>
  problemAt(path, at, { message, hint: index < MAX_REVISION_PROBLEMS ? near() : null })

type Entry = { key: WorkloadKey; identity: Identity; located: Located }

function dependenciesOf({ identity, located }: Entry): Map<string, Place> {
  const { namespace } = identity
  return new Map(
    located.document.references.flatMap((reference) =>
      reference.type === 'workload' ? [[identityText({ kind: reference.kind, namespace, name: reference.name }), reference.at]] : [],
    ),
  )
}

function checkCycles(entries: readonly Entry[]): { problems: Problem[]; members: Set<string> } {
  const edges = new Map(entries.map((entry) => [identityText(entry.identity), dependenciesOf(entry)]))
  const paths = new Map(entries.map(({ identity, located }) => [identityText(identity), located.path]))
  const cycles = findCycles(new Map([...edges].map(([name, targets]) => [name, [...targets.keys()].sort(order)])))
  const problems = cycles.flatMap(([first = '', ...rest]) => {
    const at = edges.get(first)?.get(rest[0] ?? first) ?? { line: 1, column: 1 }
    const names = rest.length > CYCLE_NAMES ? [...rest.slice(0, CYCLE_NAMES), '…'] : rest
    const message = `${first.startsWith('CronJob ') ? 'after' : 'dependsOn'} goes in a circle: ${[first, ...names, first].join(' -> ')}`
    return [problemAt(paths.get(first) ?? '', at, { message, hint: 'remove one of these dependencies' })]
  })
  return { problems, members: new Set(cycles.flat()) }
}

/** CronJobs whose parents begin at different schedules. */
function checkGraphs(entries: readonly Entry[]): { problems: Problem[]; members: Set<string> } {
  const paths = new Map(entries.map(({ identity, located }) => [identityText(identity), located.path]))
  const nodes = entries.flatMap(({ identity, located }): GraphNode[] => {
    if (identity.kind !== 'CronJob') return []
    const after = located.document.references.flatMap((reference) =>
      reference.type === 'workload' && reference.by === 'after'
        ? [{ name: identityText({ ...identity, name: reference.name }), at: reference.at }]
        : [],
    )
    return [{ name: identityText(identity), after }]
  })
  const found = mismatchedParents(nodes)
  const problems = found.map(({ node, at, roots: [one, other] }) =>
    problemAt(paths.get(node) ?? '', at, {
      message: `after names parents that start at different times: ${one} and ${other}`,
      hint: 'let all parents come after one CronJob that has the schedule',
    }),
  )
  return { problems, members: new Set(found.map(({ node }) => node)) }
}

function entriesOf(index: ObjectIndex): { sound: Entry[]; broken: WorkloadKey[] } {
  const sound: Entry[] = []
  const broken: WorkloadKey[] = []
  for (const [located, ...others] of index.values()) {
    const identity = located?.document.identity
    const key = identity ? keyOfIdentity(identity) : null
    if (located === undefined || !identity || key === null) continue
    if (others.length === 0 && located.document.manifest !== null) sound.push({ key, identity, located })
    else broken.push(key)
  }
  return { sound, broken }
}

/** Splits the workloads of a revision into those that can be used and those that cannot, and says why. */
export function linkWorkloads(
  index: ObjectIndex,
  anythingHidden: boolean,
): { valid: Located[]; broken: WorkloadKey[]; problems: Problem[] } {
  const { sound, broken } = entriesOf(index)
  const cycles = checkCycles(sound)
  const graphs = checkGraphs(sound.filter(({ identity }) => !cycles.members.has(identityText(identity))))
  const unusable = new Set([...cycles.members, ...graphs.members])
  const valid: Located[] = []
  const mistakes: Mistake[] = []
  for (const { key, identity, located } of sound) {
    const own = checkReferences(located, { index, namespace: identity.namespace, anythingHidden })
    mistakes.push(...own)
    if (own.length === 0 && !unusable.has(identityText(identity))) valid.push(located)
    else broken.push(key)
  }
  return { valid, broken, problems: [...cycles.problems, ...graphs.problems, ...mistakes.map(tell)] }
}

/** What a workload uses of the ConfigMaps, or Secrets, it names: single keys where it takes single keys, else all. Sorted by name. */
export function dataUsed(
  { references, identity }: CheckedDocument,
  kind: DataKind,
  index: ObjectIndex,
): Record<string, Record<string, string>> {
  const used = new Map<string, Record<string, string>>()
  for (const reference of references) {
    if (reference.type !== 'data' || reference.kind !== kind) continue
    const { name, use } = reference
    const data = dataOf(index, { kind, namespace: identity?.namespace ?? '', name })
    if (typeof data === 'string') continue
    used.set(name, { ...used.get(name), ...(use.as === 'key' ? { [use.key]: data[use.key] ?? '' } : data) })
  }
  return Object.fromEntries([...used].sort(([a], [b]) => order(a, b)))
}
