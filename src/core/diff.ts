/** One field that differs; `undefined` on the side that does not have it. */
export interface FieldChange {
  /** As in `spec.template.spec.containers[web].image`; list entries by their name, or by index where they have none. */
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

export interface DiffOptions {
  /** What the path begins with; nothing unless given. */
  readonly path?: string
  /** Whether another order of named entries (env, ports, volumes) counts as a change; `ignore` unless given. */
  readonly order?: 'ignore' | 'report'
}

type Json = Readonly<Record<string, unknown>>

interface Walk {
  readonly path: string
  readonly order: 'ignore' | 'report'
  /** `one`: the whole entry is on one side only. */
  readonly sides: 'one' | 'both'
}

/**
 * What differs between two values of plain JSON, sorted by key.
 * Lists of objects that all have a `name` (or a `key`) are compared by it, other lists of objects by index,
 * lists of plain values as a whole. What one side lacks is told leaf by leaf.
 */
export function diffValues(before: unknown, after: unknown, options: DiffOptions = {}): FieldChange[] {
  return walk({ path: options.path ?? '', order: options.order ?? 'ignore', sides: 'both' }, before, after)
}

/** Deep equality of plain JSON: order counts in lists, not in objects; an absent field equals an undefined one. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => sameValue(item, b[index]))
  if (!isObject(a) || !isObject(b)) return Object.is(a, b)
  return keysOf(a, b).every((key) => sameValue(own(a, key), own(b, key)))
}

function walk(at: Walk, before: unknown, after: unknown): FieldChange[] {
  if (sameValue(before, after)) return []
  if (before === undefined || after === undefined) return oneSided({ ...at, sides: 'one' }, before, after)
  if (isObject(before) && isObject(after)) return fieldsOf(at, before, after)
  if (Array.isArray(before) && Array.isArray(after)) return listOf(at, before, after)
  return [{ path: at.path, before, after }]
}

/** Told leaf by leaf; as it is when it has no leaves, or only itself. */
function oneSided(at: Walk, before: unknown, after: unknown): FieldChange[] {
  const there = before ?? after
  const leaves = isObject(there)
    ? fieldsOf(at, isObject(before) ? before : {}, isObject(after) ? after : {})
    : Array.isArray(there) && there.some(isObject)
      ? listOf(at, Array.isArray(before) ? before : [], Array.isArray(after) ? after : [])
      : []
  return leaves.length > 0 ? leaves : [{ path: at.path, before, after }]
}

function fieldsOf(at: Walk, before: Json, after: Json): FieldChange[] {
  return keysOf(before, after)
    .filter((key) => at.sides === 'both' || !isEmpty(own(before, key) ?? own(after, key)))
    .flatMap((key) => walk({ ...at, path: join(at.path, key) }, own(before, key), own(after, key)))
}

function listOf(at: Walk, before: readonly unknown[], after: readonly unknown[]): FieldChange[] {
  const key = keyOf([before, after])
  if (key !== null) return keyedList(at, index(before, key), index(after, key))
  if (![...before, ...after].some(isObject)) return [{ path: at.path, before, after }]
  const longest = before.length > after.length ? before : after
  return longest.flatMap((_, position) => walk({ ...at, path: `${at.path}[${position}]` }, before[position], after[position]))
}

/** The field that names every entry of both lists, each once a list. */
function keyOf(lists: readonly (readonly unknown[])[]): string | null {
  const names = (list: readonly unknown[], key: string): unknown[] => list.map((item) => (isObject(item) ? own(item, key) : undefined))
  const isKey = (key: string): boolean =>
    lists.every((list) => names(list, key).every((name) => typeof name === 'string') && new Set(names(list, key)).size === list.length)
  return ['name', 'key'].find(isKey) ?? null
}

/** Entries by name, without the name: the path says it already. */
function index(list: readonly unknown[], key: string): Map<string, Json> {
  const entries = list.filter(isObject).map((item): [string, Json] => {
    const { [key]: name, ...rest } = item
    return [String(name), rest]
  })
  return new Map(entries)
}

function keyedList(at: Walk, before: ReadonlyMap<string, Json>, after: ReadonlyMap<string, Json>): FieldChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort()
  const entries = names.flatMap((name) => walk({ ...at, path: `${at.path}[${name}]` }, before.get(name), after.get(name)))
  const common = (one: ReadonlyMap<string, Json>, other: ReadonlyMap<string, Json>): string[] =>
    [...one.keys()].filter((name) => other.has(name))
  if (at.order === 'ignore' || sameValue(common(before, after), common(after, before))) return entries
  return [...entries, { path: at.path, before: [...before.keys()], after: [...after.keys()] }]
}

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
/** How a default looks: beside a whole entry that comes or goes it says nothing. */
const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0
const own = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined)
const keysOf = (a: Json, b: Json): string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)
