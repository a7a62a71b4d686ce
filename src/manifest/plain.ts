import { isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml'
import { MAX_KEYS } from './limits.ts'
import { keyText } from './positions.ts'
import { type Finding, quote } from './problem.ts'

/** Told at the first mistake: what follows it is rarely independent. */
export type Plain = { ok: true; value: unknown } | ({ ok: false; offset: number } & Finding)

class Refused extends Error {
  readonly refusal: Finding & { offset: number }
  constructor(node: unknown, message: string, hint: string) {
    super(message)
    const offset = (node as Node | null)?.range?.[0] ?? 0
    this.refusal = { message, hint, offset }
  }
}

/** Names that reach an object's prototype when code is careless with them. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
const CORE_TAG = /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/
/** A NUL ends an argument or a path early; a lone surrogate changes when it is written as UTF-8. */
const UNUSABLE = /\0|\p{Cs}/u

function checkedKey(key: unknown): string {
  if (!isScalar(key)) throw new Refused(key, 'a key must be plain text', 'write `key: value`')
  const text = keyText(key)
  if (text === '<<') throw new Refused(key, 'merge keys are not supported', 'write the fields out')
  if (FORBIDDEN_KEYS.has(text)) throw new Refused(key, `the key ${quote(text)} is not allowed`, 'give it another name')
  return text
}

function plainMap(map: YAMLMap): unknown {
  if (map.items.length > MAX_KEYS)
    throw new Refused(map, `a map has more than ${MAX_KEYS.toLocaleString('en')} keys`, 'split it into several objects')
  const result: Record<string, unknown> = Object.create(null)
  const seen = new Set<string>()
  for (const pair of map.items) {
    const key = checkedKey(pair.key)
    if (seen.has(key)) throw new Refused(pair.key, `the key ${quote(key)} is given twice`, 'keep one of them')
    seen.add(key)
    result[key] = plain(pair.value)
  }
  return result
}

function plainScalar(node: { value: unknown }): unknown {
  if (typeof node.value === 'string' && UNUSABLE.test(node.value))
    throw new Refused(node, 'text may not hold a NUL or half a surrogate pair', 'remove that character')
  return node.value ?? null
}

function plain(node: unknown): unknown {
  if (node === null || node === undefined) return null
  if (isAlias(node)) throw new Refused(node, 'YAML aliases are not supported', 'write the value out instead of `*name`')
  const tag = (node as Node & { tag?: string }).tag
  if (tag !== undefined && !CORE_TAG.test(tag)) throw new Refused(node, `the YAML tag ${quote(tag)} is not supported`, 'remove the tag')
  if (isMap(node)) return plainMap(node)
  if (isSeq(node)) return node.items.map(plain)
  return isScalar(node) ? plainScalar(node) : null
}

/**
 * JSON values of a node in linear time, maps without a prototype. The library's own `toJS` is quadratic in
 * aliases and its duplicate check quadratic in keys. Depth is bounded by `tokenize`, so recursion is safe.
 */
export function toPlain(node: Node | null): Plain {
  try {
    return { ok: true, value: plain(node) }
  } catch (error) {
    if (error instanceof Refused) return { ok: false, ...error.refusal }
    throw error
  }
}
